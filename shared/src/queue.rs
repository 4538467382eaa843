//! Wake-ups for workers, delivered by apalis. The enqueue side; a worker's side is its own crate's.
//!
//! A task carries no work: whoever gets one asks the ledger what to do. So a task may come twice,
//! late or not at all, and the ledger pushes another one where it matters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_sqlite::SqliteStorage;
use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqlitePool};

use crate::export::ExportId;
use crate::ledger::LedgerError;

/// The queue's name in apalis' tables.
pub const QUEUE: &str = "waybill.exports";
/// The most wake-ups that are pushed again at once.
pub const MOST_WAKE_UPS: u32 = 64;
/// Seconds for which a delivered task is kept.
const KEEP_DONE_SECONDS: i64 = 600;

/// A wake-up. The id says for which export it was pushed, for whoever reads the queue's tables;
/// the ledger may well choose another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportTask {
    /// Such as `export_0193…`.
    pub export_id: String,
}

/// Applies apalis' migrations: not by its `setup`, which turns fsync off.
///
/// # Errors
/// [`LedgerError::Unavailable`].
pub async fn migrate(pool: &SqlitePool) -> Result<(), LedgerError> {
    let migrated = SqliteStorage::<()>::migrations().run(pool).await;
    Ok(migrated.map_err(sqlx::Error::from)?)
}

/// Pushes a wake-up as part of the caller's transaction, to be delivered after `delay`.
///
/// # Errors
/// [`LedgerError::Queue`].
pub async fn push(
    connection: &mut SqliteConnection,
    export_id: ExportId,
    delay: Duration,
) -> Result<(), LedgerError> {
    let task = ExportTask {
        export_id: export_id.to_string(),
    };
    let args = serde_json::to_vec(&task).map_err(|error| LedgerError::Queue(error.into()))?;
    let task: Task<Vec<u8>> = TaskBuilder::new(args)
        // Retries are the ledger's.
        .max_attempts(1)
        .run_at_timestamp(deliver_at(SystemTime::now(), delay))
        .build();
    apalis_sqlite::queries::push_tasks(connection, QUEUE, &[task])
        .await
        .map_err(|error| LedgerError::Queue(error.into()))
}

/// apalis counts whole seconds: a delay is rounded up, so that no wake-up comes before its export's
/// time and is spent for nothing.
fn deliver_at(now: SystemTime, delay: Duration) -> u64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if delay.is_zero() {
        return now.as_secs();
    }
    let due = now + delay;
    due.as_secs() + u64::from(due.subsec_nanos() > 0)
}

/// How many wake-ups wait for a worker.
///
/// # Errors
/// [`LedgerError::Unavailable`].
pub async fn pending(connection: &mut SqliteConnection) -> Result<usize, LedgerError> {
    let pending: i64 =
        sqlx::query_scalar("SELECT count(*) FROM Jobs WHERE job_type = ?1 AND status = 'Pending'")
            .bind(QUEUE)
            .fetch_one(connection)
            .await?;
    Ok(usize::try_from(pending).unwrap_or_default())
}

/// Drops tasks that were delivered some time ago; apalis keeps them for ever.
///
/// # Errors
/// [`LedgerError::Unavailable`].
pub async fn forget_done(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM Jobs
         WHERE job_type = ?1 AND status IN ('Done', 'Failed', 'Killed')
           AND done_at < CAST(strftime('%s', 'now') AS INTEGER) - ?2",
    )
    .bind(QUEUE)
    .bind(KEEP_DONE_SECONDS)
    .execute(connection)
    .await?;
    Ok(())
}
