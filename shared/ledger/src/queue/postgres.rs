//! Wake-ups in apalis' tables on PostgreSQL.

use apalis_postgres::PostgresStorage;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::task::{Due, KEEP_DONE_SECONDS, KEEP_WORKER_SECONDS, QUEUE, task};
use crate::error::LedgerError;
use crate::export::ExportId;

/// Where apalis' migrations put everything.
pub(crate) const SCHEMA: &str = "apalis";

const PENDING: &str = "SELECT count(*) FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending'";

const FORGET_DONE: &str = "
DELETE FROM apalis.jobs
WHERE job_type = $1 AND status IN ('Done', 'Failed', 'Killed')
  AND done_at < now() - make_interval(secs => $2)";

/// Each start of a delivery loop is another worker.
const FORGET_WORKERS: &str = "
DELETE FROM apalis.workers
WHERE worker_type = $1 AND last_seen < now() - make_interval(secs => $2)
  AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = apalis.workers.id)";

/// apalis' migrations. They need CREATE on the database and the extensions pgcrypto and hstore.
pub(crate) fn migrations() -> Migrator {
    PostgresStorage::<()>::migrations()
}

/// Pushes a wake-up as part of the caller's transaction.
pub(crate) async fn push(
    connection: &mut PgConnection,
    export_id: ExportId,
    due: Due,
) -> Result<(), LedgerError> {
    apalis_postgres::queries::push_tasks(connection, QUEUE, vec![task(export_id, due)?])
        .await
        .map_err(|error| match error {
            apalis_postgres::Error::Database(error) => error.into(),
            other => LedgerError::Queue(other.into()),
        })
}

/// How many wake-ups wait for a worker.
pub(crate) async fn pending(connection: &mut PgConnection) -> Result<usize, LedgerError> {
    let pending: i64 = sqlx::query_scalar(PENDING)
        .bind(QUEUE)
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(pending).unwrap_or_default())
}

/// Drops tasks that were delivered some time ago, and workers that are long gone.
pub(crate) async fn forget_done(connection: &mut PgConnection) -> Result<(), LedgerError> {
    for (forget, kept_for) in [
        (FORGET_DONE, KEEP_DONE_SECONDS),
        (FORGET_WORKERS, KEEP_WORKER_SECONDS),
    ] {
        sqlx::query(forget)
            .bind(QUEUE)
            .bind(f64::from(kept_for))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
