//! Whether the database can be used.

use async_trait::async_trait;

use super::ledger::PostgresLedger;
use super::statements;
use crate::db::migrations::postgres::known_versions;
use crate::error::LedgerError;
use crate::probe::Probe;

#[async_trait]
impl Probe for PostgresLedger {
    async fn check(&self) -> Result<(), LedgerError> {
        let newest: (Option<i64>, Option<i64>) = sqlx::query_as(statements::NEWEST_MIGRATIONS)
            .fetch_one(&self.pool)
            .await?;
        let known = known_versions();
        if newest.0 < known.0 || newest.1 < known.1 {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}
