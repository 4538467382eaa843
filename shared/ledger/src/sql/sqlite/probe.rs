//! Whether the database can be used.

use async_trait::async_trait;

use super::ledger::SqliteLedger;
use super::statements;
use crate::db::migrations::sqlite::known_version;
use crate::error::LedgerError;
use crate::probe::Probe;

#[async_trait]
impl Probe for SqliteLedger {
    async fn check(&self) -> Result<(), LedgerError> {
        let newest: Option<i64> = sqlx::query_scalar(statements::NEWEST_MIGRATION)
            .fetch_one(&self.pools.readers)
            .await?;
        if newest < known_version() {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}
