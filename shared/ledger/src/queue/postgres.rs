//! Wake-ups in apalis' tables on PostgreSQL.

use apalis_postgres::PostgresStorage;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::connection::QueueConnection;
use super::task::{Due, KEEP_DONE_SECONDS, KEEP_WORKER_SECONDS, QUEUE, task};
use crate::error::LedgerError;
use crate::export::ExportId;

/// Where apalis' migrations put everything.
pub(crate) const SCHEMA: &str = "apalis";

const PENDING: &str = "SELECT count(*) FROM apalis.jobs WHERE job_type = $1 AND status = 'Pending'";

const REMOVE_DONE: &str = "
DELETE FROM apalis.jobs
WHERE job_type = $1 AND status IN ('Done', 'Failed', 'Killed')
  AND done_at < now() - make_interval(secs => $2)";

/// Each start of a delivery loop is another worker.
const REMOVE_WORKERS: &str = "
DELETE FROM apalis.workers
WHERE worker_type = $1 AND last_seen < now() - make_interval(secs => $2)
  AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = apalis.workers.id)";

/// apalis' migrations. They need CREATE on the database and the extensions pgcrypto and hstore.
pub(crate) fn migrations() -> Migrator {
    PostgresStorage::<()>::migrations()
}

impl QueueConnection for PgConnection {
    async fn push(&mut self, export_id: ExportId, due: Due) -> Result<(), LedgerError> {
        apalis_postgres::queries::push_tasks(self, QUEUE, vec![task(export_id, due)?])
            .await
            .map_err(|error| match error {
                apalis_postgres::Error::Database(error) => error.into(),
                other => LedgerError::Queue(other.into()),
            })
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
                .bind(f64::from(kept_for))
                .execute(&mut *self)
                .await?;
        }
        Ok(())
    }
}
