//! What the ledger on SQLite works with.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};
use tokio::sync::broadcast;

use super::statements;
use crate::changes::CHANGES_KEPT;
use crate::claim::Lease;
use crate::db::instant::micros;
use crate::db::sqlite::SqlitePools;
use crate::error::LedgerError;
use crate::export::ExportId;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct SqliteLedger {
    pub(super) pools: SqlitePools,
    pub(super) changes: broadcast::Sender<ExportId>,
}

impl SqliteLedger {
    /// The ledger of a database that has the migrations.
    pub(crate) fn new(pools: SqlitePools) -> Self {
        Self {
            pools,
            changes: broadcast::Sender::new(CHANGES_KEPT),
        }
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        Ok(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) fn changed(&self, id: ExportId) {
        // Nobody listening is fine.
        drop(self.changes.send(id));
    }

    /// Runs an UPDATE that is guarded by the lease.
    pub(super) async fn guarded(
        &self,
        lease: &Lease,
        update: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(), LedgerError> {
        let done = update.execute(&self.pools.writer).await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        self.changed(lease.export_id());
        Ok(())
    }
}

/// Records in the transaction that makes a file superfluous that it has to go.
pub(super) async fn leave_file(
    tx: &mut Transaction<'_, Sqlite>,
    object_key: &str,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query(statements::LEAVE_FILE)
        .bind(object_key)
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
