//! Wake-ups in apalis' tables on SQLite.

use apalis_sqlite::SqliteStorage;
use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;

use super::connection::QueueConnection;
use super::task::{Due, KEEP_DONE_SECONDS, KEEP_WORKER_SECONDS, QUEUE, task};
use crate::error::LedgerError;
use crate::export::ExportId;

const PENDING: &str = "SELECT count(*) FROM Jobs WHERE job_type = ?1 AND status = 'Pending'";

const REMOVE_DONE: &str = "
DELETE FROM Jobs
WHERE job_type = ?1 AND status IN ('Done', 'Failed', 'Killed')
  AND done_at < CAST(strftime('%s', 'now') AS INTEGER) - ?2";

/// Each start of a delivery loop is another worker.
const REMOVE_WORKERS: &str = "
DELETE FROM Workers
WHERE worker_type = ?1 AND last_seen < CAST(strftime('%s', 'now') AS INTEGER) - ?2
  AND NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)";

/// apalis' migrations. Not to be applied by its `setup`, which turns fsync off.
pub(crate) fn migrations() -> Migrator {
    SqliteStorage::<()>::migrations()
}

impl QueueConnection for SqliteConnection {
    async fn push(&mut self, export_id: ExportId, due: Due) -> Result<(), LedgerError> {
        apalis_sqlite::queries::push_tasks(self, QUEUE, &[task(export_id, due)?])
            .await
            .map_err(|error| LedgerError::Queue(error.into()))
    }

    async fn count_pending(&mut self) -> Result<usize, LedgerError> {
        let pending: i64 = sqlx::query_scalar(PENDING)
            .bind(QUEUE)
            .fetch_one(self)
            .await?;
        Ok(usize::try_from(pending).unwrap_or_default())
    }

    async fn remove_delivered(&mut self) -> Result<(), LedgerError> {
        for (remove, kept_for) in [
            (REMOVE_DONE, KEEP_DONE_SECONDS),
            (REMOVE_WORKERS, KEEP_WORKER_SECONDS),
        ] {
            sqlx::query(remove)
                .bind(QUEUE)
                .bind(kept_for)
                .execute(&mut *self)
                .await?;
        }
        Ok(())
    }
}
