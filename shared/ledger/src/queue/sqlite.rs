//! Wake-ups in apalis' tables on SQLite.

use apalis_sqlite::SqliteStorage;
use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;

use super::task::{Due, KEEP_DONE_SECONDS, KEEP_WORKER_SECONDS, QUEUE, task};
use crate::error::LedgerError;
use crate::export::ExportId;

const PENDING: &str = "SELECT count(*) FROM Jobs WHERE job_type = ?1 AND status = 'Pending'";

const FORGET_DONE: &str = "
DELETE FROM Jobs
WHERE job_type = ?1 AND status IN ('Done', 'Failed', 'Killed')
  AND done_at < CAST(strftime('%s', 'now') AS INTEGER) - ?2";

/// Each start of a delivery loop is another worker.
const FORGET_WORKERS: &str = "
DELETE FROM Workers
WHERE worker_type = ?1 AND last_seen < CAST(strftime('%s', 'now') AS INTEGER) - ?2
  AND NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)";

/// apalis' migrations. Not to be applied by its `setup`, which turns fsync off.
pub(crate) fn migrations() -> Migrator {
    SqliteStorage::<()>::migrations()
}

/// Pushes a wake-up as part of the caller's transaction.
pub(crate) async fn push(
    connection: &mut SqliteConnection,
    export_id: ExportId,
    due: Due,
) -> Result<(), LedgerError> {
    apalis_sqlite::queries::push_tasks(connection, QUEUE, &[task(export_id, due)?])
        .await
        .map_err(|error| LedgerError::Queue(error.into()))
}

/// How many wake-ups wait for a worker.
pub(crate) async fn pending(connection: &mut SqliteConnection) -> Result<usize, LedgerError> {
    let pending: i64 = sqlx::query_scalar(PENDING)
        .bind(QUEUE)
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(pending).unwrap_or_default())
}

/// Drops tasks that were delivered some time ago, and workers that are long gone.
pub(crate) async fn forget_done(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    for (forget, kept_for) in [
        (FORGET_DONE, KEEP_DONE_SECONDS),
        (FORGET_WORKERS, KEEP_WORKER_SECONDS),
    ] {
        sqlx::query(forget)
            .bind(QUEUE)
            .bind(kept_for)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
