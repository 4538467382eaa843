//! Whether the database can be used.

use async_trait::async_trait;

use super::ledger::PostgresLedger;
use crate::db::migrations::postgres::known_versions;
use crate::error::LedgerError;
use crate::probe::Probe;
use crate::sql::statement::on_postgres;

/// Ours and the queue's.
const NEWEST_MIGRATIONS: &str = "
SELECT (SELECT max(version) FROM waybill.migrations WHERE success),
       (SELECT max(version) FROM apalis._sqlx_migrations WHERE success)";

#[async_trait]
impl Probe for PostgresLedger {
    async fn check(&self) -> Result<(), LedgerError> {
        let newest: (Option<i64>, Option<i64>) = on_postgres!(query_as, NEWEST_MIGRATIONS)
            .fetch_one(&self.pool)
            .await?;
        let known = known_versions();
        if newest.0 < known.0 || newest.1 < known.1 {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}
