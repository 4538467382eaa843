//! What the ledger on SQLite works with.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};
use tokio::sync::broadcast;

use crate::changes::CHANGES_KEPT;
use crate::claim::Lease;
use crate::db::instant::micros;
use crate::db::sqlite::SqlitePools;
use crate::error::LedgerError;
use crate::export::ExportId;
use crate::sql::row::ExportRow;
use crate::sql::statement::on_sqlite;

pub(super) type Row = ExportRow<i64>;

/// A file that has to go.
const LEAVE_FILE: &str = "
INSERT INTO leftovers (object_key, look_at) VALUES ($1, {now})
ON CONFLICT (object_key) DO NOTHING";

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

    pub(super) fn all_changed(&self, ids: &[ExportId]) {
        for id in ids {
            self.changed(*id);
        }
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
    on_sqlite!(query, LEAVE_FILE, object_key, micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
