//! Whether the database can be used.

use async_trait::async_trait;

use super::ledger::SqliteLedger;
use crate::db::migrations::sqlite::known_version;
use crate::error::LedgerError;
use crate::probe::Probe;
use crate::sql::statement::on_sqlite;

const NEWEST_MIGRATION: &str = "SELECT max(version) FROM waybill_migrations WHERE success";

#[async_trait]
impl Probe for SqliteLedger {
    async fn check(&self) -> Result<(), LedgerError> {
        let newest: Option<i64> = on_sqlite!(query_scalar, NEWEST_MIGRATION)
            .fetch_one(&self.pools.readers)
            .await?;
        if newest < known_version() {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}
