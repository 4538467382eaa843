//! Runs exports: gets woken by the queue, claims what the ledger chooses, and takes it from the
//! source to a published object. Knows no HTTP.

mod attempt;
mod claim_gate;
mod deliveries;
mod exporter;
mod lease;
mod lost_lease;
mod metrics;
mod rescue;
mod slots;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use waybill_config::{ExportSettings, WorkerSettings};
use waybill_ledger::Ledger;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::queue::Queue;
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_store::Bucket;

use self::claim_gate::ClaimGate;
use self::exporter::Exporter;
use self::metrics::WorkerMetrics;
use self::rescue::{Rescue, Tally};

/// What a worker works with.
#[derive(Clone)]
pub struct Dependencies {
    /// What may be asked.
    pub catalog: Arc<Catalog>,
    /// Where rows are read.
    pub sources: Sources,
    /// What decides.
    pub ledger: Arc<dyn Ledger>,
    /// The queue's tables.
    pub queue: Queue,
    /// Where files go.
    pub bucket: Bucket,
    /// Tells whether store and sources answer: without them nothing is claimed.
    pub readiness: Readiness,
    /// How many at a time, and for how long an export is leased.
    pub worker: WorkerSettings,
    /// Limits of one export.
    pub exports: ExportSettings,
    /// How long running exports may go on after the shutdown began.
    pub grace: Duration,
    /// Where it registers what it counts; one worker a process.
    pub metrics: ProcessMetrics,
}

/// Works until `shutdown`; then takes no more exports, gives running ones `grace` to finish and
/// hands back what did not. Returns when nothing runs any more.
pub async fn run(parts: Dependencies, shutdown: CancellationToken) {
    let interrupt = CancellationToken::new();
    let running = TaskTracker::new();
    let rescue = Rescue::new(
        Arc::clone(&parts.ledger),
        parts.bucket.clone(),
        parts.worker.lease(),
        &parts.exports,
        Tally::registered(&parts.metrics),
    );
    let metrics = WorkerMetrics::registered(&parts.metrics, parts.worker.concurrency);
    let gate = Arc::new(ClaimGate::new(
        parts.readiness.clone(),
        Arc::clone(&parts.ledger),
        &parts.catalog,
    ));
    let exporter = Exporter::new(
        &parts,
        Arc::clone(&gate),
        metrics,
        shutdown.clone(),
        interrupt.clone(),
    );
    let exporter = Arc::new(exporter);
    let looking = tokio::spawn({
        let (gate, shutdown) = (Arc::clone(&gate), shutdown.clone());
        async move { gate.run(shutdown).await }
    });
    let rescuing = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { rescue.run(shutdown).await }
    });

    deliveries::deliver(&parts, &exporter, &gate, &running, shutdown).await;

    running.close();
    if tokio::time::timeout(parts.grace, running.wait())
        .await
        .is_err()
    {
        tracing::info!(
            exports = running.len(),
            "the grace is over; handing running exports back"
        );
        interrupt.cancel();
        running.wait().await;
    }
    for (what, ended) in [("rescue", rescuing.await), ("gate", looking.await)] {
        if let Err(error) = ended {
            tracing::error!(%error, "{what} ended badly");
        }
    }
}
