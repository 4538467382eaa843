//! Runs exports: gets woken by the queue, claims what the ledger chooses, and takes it from the
//! source to a published object. Knows no HTTP.

mod attempt;
mod claim_gate;
mod deliveries;
mod dependencies;
mod exporter;
mod lease;
mod lost_lease;
mod metrics;
mod panic;
#[cfg(test)]
mod sample;
mod slots;
mod tasks;
mod verdict;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claim_gate::ClaimGate;
use self::exporter::Exporter;
use self::metrics::WorkerMetrics;

pub use self::dependencies::Dependencies;

/// Works until `shutdown`; then takes no more exports, gives running ones the grace period to finish
/// and hands back what did not. Returns when nothing runs any more.
pub async fn run(with: Dependencies, shutdown: CancellationToken) {
    let interrupt = CancellationToken::new();
    let (running, background) = (TaskTracker::new(), TaskTracker::new());
    tasks::start(&with, &background, &shutdown);
    let gate = Arc::new(ClaimGate::new(
        with.readiness.clone(),
        Arc::clone(&with.work),
        &with.catalog,
    ));
    background.spawn({
        let (gate, shutdown) = (Arc::clone(&gate), shutdown.clone());
        async move { gate.run(shutdown).await }
    });
    let exporter = Arc::new(Exporter::new(
        &with,
        Arc::clone(&gate),
        WorkerMetrics::registered(&with.metrics, with.worker.concurrency),
        shutdown.clone(),
        interrupt.clone(),
    ));
    let concurrency = with.worker.concurrency;
    deliveries::deliver(
        &with.queue,
        concurrency,
        &exporter,
        &gate,
        &running,
        shutdown,
    )
    .await;

    running.close();
    let finished = tokio::time::timeout(with.grace, running.wait()).await;
    if finished.is_err() {
        tracing::info!(
            exports = running.len(),
            "the grace is over; handing running exports back"
        );
        interrupt.cancel();
        running.wait().await;
    }
    background.close();
    background.wait().await;
}
