//! Taking wake-ups out of apalis' tables, on either engine.
//!
//! Nothing about an export depends on what apalis thinks of a task: it is told that every delivery
//! went well, and retries, order and fairness are the ledger's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BackendExt, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::{PgPool, SqlitePool};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hints::hints;
use super::task::{ExportTask, QUEUE};
use crate::export::ExportId;

/// How often a worker looks into the file of an embedded queue even when nothing was heard.
const SQLITE_INTERVAL: Duration = Duration::from_millis(100);
/// How often it asks a server, which every worker does.
const POSTGRES_INTERVAL: Duration = Duration::from_millis(500);

/// Where apalis' tables are.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// In the ledger's file, over its one writing connection.
    Sqlite(SqlitePool),
    /// In schema `apalis` of the ledger's database.
    Postgres(PgPool),
}

/// Called for each delivery; the next one is taken once it has returned, or while it runs where the
/// concurrency allows.
pub type Handler = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A worker on either of apalis' storages: they have the same settings and no trait for them.
macro_rules! worker {
    ($apalis:ident :: $storage:ident, $pool:expr, $hints:expr, $handler:expr, $concurrency:expr) => {{
        let config = $apalis::Config::default()
            .queue(QUEUE)
            // More would be held back from other workers while this one is busy.
            .batch_size(1)
            // Between fetched and done a task needs no third state: leases are the ledger's.
            .lock_tasks(false);
        let storage = $apalis::$storage::<ExportTask>::new($pool)
            .with_config(config)
            .poll_with_stream($hints);
        // A new name each time: what a namesake left running would stay so.
        WorkerBuilder::new(format!("waybill-{}", Uuid::now_v7().simple()))
            .backend(storage)
            .data($handler)
            .concurrency($concurrency)
            .build(take)
    }};
}

/// Takes deliveries until the shutdown, or until apalis gives up, for example because the database is
/// away.
pub(super) async fn deliver_once(
    storage: &Storage,
    changes: broadcast::Receiver<ExportId>,
    concurrency: usize,
    handler: Handler,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError> {
    let stop = shutdown.clone();
    let stopped = async move {
        stop.cancelled().await;
        Ok::<(), WorkerError>(())
    };
    let working = match storage {
        Storage::Sqlite(pool) => {
            let hints = hints(changes, SQLITE_INTERVAL);
            worker!(
                apalis_sqlite::SqliteStorage,
                pool,
                hints,
                handler,
                concurrency
            )
            .run_until(stopped)
            .boxed()
        }
        Storage::Postgres(pool) => {
            let hints = hints(changes, POSTGRES_INTERVAL);
            worker!(
                apalis_postgres::PostgresStorage,
                pool,
                hints,
                handler,
                concurrency
            )
            .run_until(stopped)
            .boxed()
        }
    };
    tokio::select! {
        // apalis waits for its tasks at the end; whoever handles them does so with a limit.
        () = shutdown.cancelled() => Ok(()),
        ended = working => ended,
    }
}

async fn take(task: ExportTask, handler: Data<Handler>) -> Result<(), Infallible> {
    tracing::debug!(pushed_for = task.export_id, "woken");
    handler().await;
    Ok(())
}
