//! Deliveries: each makes the exporter ask the ledger for work. While nothing may be claimed they are
//! left to other workers.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use waybill_ledger::queue::{Handler, Queue};

use crate::claim_gate::ClaimGate;
use crate::exporter::Exporter;

/// Takes deliveries, so many at once, whenever something may be claimed, until the shutdown.
pub(crate) async fn deliver(
    queue: &Queue,
    concurrency: usize,
    exporter: &Arc<Exporter>,
    gate: &ClaimGate,
    running: &TaskTracker,
    shutdown: CancellationToken,
) {
    let handler = handler(exporter, running);
    while shutdown.run_until_cancelled(gate.opened()).await.is_some() {
        tokio::select! {
            () = queue.deliver(concurrency, Arc::clone(&handler), &shutdown) => {}
            () = gate.closed() => {}
        }
    }
}

/// Runs the next export in a task of its own: apalis polls its handlers and its heartbeat together,
/// and an export that computes would hold up both.
fn handler(exporter: &Arc<Exporter>, running: &TaskTracker) -> Handler {
    let (exporter, running) = (Arc::clone(exporter), running.clone());
    Arc::new(move || {
        let run = running.spawn(Arc::clone(&exporter).run_next());
        async move {
            if let Err(error) = run.await {
                tracing::error!(%error, "a delivery ended badly");
            }
        }
        .boxed()
    })
}
