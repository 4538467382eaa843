//! Deliveries: apalis hands out wake-ups, each of which makes the exporter ask the ledger for work.
//!
//! Nothing about an export depends on what apalis thinks of a task: it is told that every delivery
//! went well, and retries, order and fairness are the ledger's.

mod hints;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BackendExt, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use waybill_ledger::queue::{ExportTask, QUEUE, Queue};

use self::hints::hints;
use crate::Dependencies;
use crate::claim_gate::ClaimGate;
use crate::exporter::Exporter;

/// How often a worker looks into the file of an embedded queue even when nothing was heard.
const SQLITE_INTERVAL: Duration = Duration::from_millis(100);
/// How often it asks a server, which every worker does.
const POSTGRES_INTERVAL: Duration = Duration::from_millis(500);
/// Before a delivery loop that ended, for example by an outage of the database, starts anew.
const RESTART_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Deliveries {
    exporter: Arc<Exporter>,
    running: TaskTracker,
}

/// Takes deliveries until the shutdown, whenever something may be claimed: until then wake-ups are left to
/// other workers.
pub(crate) async fn deliver(
    parts: &Dependencies,
    exporter: &Arc<Exporter>,
    gate: &ClaimGate,
    running: &TaskTracker,
    shutdown: CancellationToken,
) {
    let deliveries = Deliveries {
        exporter: Arc::clone(exporter),
        running: running.clone(),
    };
    while shutdown.run_until_cancelled(gate.opened()).await.is_some() {
        let delivering = run_once(parts, deliveries.clone(), shutdown.clone());
        let ended = tokio::select! {
            ended = delivering => ended,
            () = gate.closed() => continue,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "deliveries stopped; starting again");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(RESTART_DELAY) => {}
        }
    }
}

/// A worker on either of apalis' storages: they have the same settings and no trait for them.
macro_rules! worker {
    ($apalis:ident :: $storage:ident, $pool:expr, $hints:expr, $deliveries:expr, $concurrency:expr) => {{
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
            .data($deliveries)
            .concurrency($concurrency)
            .build(take)
    }};
}

async fn run_once(
    parts: &Dependencies,
    deliveries: Deliveries,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let concurrency = parts.worker.concurrency;
    let stop = shutdown.clone();
    let stopped = async move {
        stop.cancelled().await;
        Ok::<(), WorkerError>(())
    };
    let working = match &parts.queue {
        Queue::Sqlite(pool) => {
            let hints = hints(parts.ledger.as_ref(), SQLITE_INTERVAL);
            worker!(
                apalis_sqlite::SqliteStorage,
                pool,
                hints,
                deliveries,
                concurrency
            )
            .run_until(stopped)
            .boxed()
        }
        Queue::Postgres(pool) => {
            let hints = hints(parts.ledger.as_ref(), POSTGRES_INTERVAL);
            worker!(
                apalis_postgres::PostgresStorage,
                pool,
                hints,
                deliveries,
                concurrency
            )
            .run_until(stopped)
            .boxed()
        }
    };
    tokio::select! {
        // apalis waits for its tasks at the end; ours are waited for by `run`, with a limit.
        () = shutdown.cancelled() => Ok(()),
        ended = working => ended,
    }
}

async fn take(task: ExportTask, deliveries: Data<Deliveries>) -> Result<(), Infallible> {
    tracing::debug!(pushed_for = task.export_id, "woken");
    let Deliveries { exporter, running } = (*deliveries).clone();
    // A task of its own: apalis polls its handlers and its heartbeat together, and an export that
    // computes would hold up both.
    if let Err(error) = running.spawn(exporter.run_next()).await {
        tracing::error!(%error, "a delivery ended badly");
    }
    Ok(())
}
