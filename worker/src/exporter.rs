//! From a wake-up to an end: claim, attempt, publish or judge. Read it as the story of one export.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use waybill_shared::export::Receipt;
use waybill_shared::ledger::{Claim, Ledger, LedgerError};

use crate::WorkerParts;
use crate::attempt::{AttemptError, Pipeline};
use crate::lease::HeldLease;
use crate::rescue::Rescue;
use crate::verdict::{Verdict, judge};

/// Runs exports, each in its own task.
pub(crate) struct Exporter {
    pipeline: Pipeline,
    ledger: Arc<dyn Ledger>,
    rescue: Arc<Rescue>,
    lease_for: Duration,
    timeout: Duration,
    retention: Duration,
    /// Fires when running exports have to be handed back.
    interrupt: CancellationToken,
}

impl Exporter {
    pub(crate) fn new(
        parts: &WorkerParts,
        rescue: Arc<Rescue>,
        interrupt: CancellationToken,
    ) -> Self {
        Self {
            pipeline: Pipeline {
                catalog: Arc::clone(&parts.catalog),
                sources: parts.sources.clone(),
                ledger: Arc::clone(&parts.ledger),
                bucket: parts.bucket.clone(),
                max_rows: parts.exports.max_rows,
                freshness_budget: parts.exports.freshness_timeout(),
            },
            ledger: Arc::clone(&parts.ledger),
            rescue,
            lease_for: parts.worker.lease(),
            timeout: parts.exports.timeout(),
            retention: parts.exports.retention(),
            interrupt,
        }
    }

    /// Claims the export that is to run next, if there is one, and works on it to an end.
    pub(crate) async fn run_next(self: Arc<Self>) {
        match self.ledger.claim_next(self.lease_for).await {
            Ok(Some(claim)) => {
                let span =
                    tracing::info_span!("export", id = %claim.export.id, org = %claim.export.org);
                self.run(claim).instrument(span).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "could not claim an export"),
        }
    }

    async fn run(&self, claim: Claim) {
        tracing::info!(
            dataset = claim.export.query.dataset,
            attempt = claim.export.attempt(),
            epoch = claim.lease.epoch,
            "export started"
        );
        let held = HeldLease::keep(
            Arc::clone(&self.ledger),
            claim.lease.clone(),
            self.lease_for,
        );
        let outcome = match self.attempt(&claim, &held).await {
            Ok(receipt) => self.publish(&claim, receipt).await,
            Err(error) => Err(error),
        };
        drop(held);
        if let Err(error) = outcome {
            self.settle(&claim, &error).await;
            // What the attempt left in the store is nobody's any more.
            self.rescue.remove_leftovers().await;
        }
    }

    /// The pipeline, until it ends or something ends it.
    async fn attempt(&self, claim: &Claim, held: &HeldLease) -> Result<Receipt, AttemptError> {
        let pipeline = self
            .pipeline
            .run(&claim.export, &claim.lease, held.progress());
        let caught = AssertUnwindSafe(pipeline).catch_unwind();
        tokio::select! {
            outcome = caught => outcome.unwrap_or_else(|panic| Err(AttemptError::Panic(panic_text(&*panic)))),
            () = held.lost() => Err(LedgerError::LeaseLost(claim.lease.export_id).into()),
            () = self.interrupt.cancelled() => Err(AttemptError::Interrupted),
            () = tokio::time::sleep(self.timeout) => Err(AttemptError::Timeout(self.timeout)),
        }
    }

    async fn publish(&self, claim: &Claim, receipt: Receipt) -> Result<(), AttemptError> {
        self.ledger
            .complete(&claim.lease, &receipt, self.retention)
            .await?;
        tracing::info!(
            rows = receipt.row_count,
            bytes = receipt.size_bytes,
            "export completed"
        );
        Ok(())
    }

    async fn settle(&self, claim: &Claim, error: &AttemptError) {
        let (ledger, lease) = (&self.ledger, &claim.lease);
        let settled = match judge(error, claim.export.failures) {
            Verdict::Retry(failure, pause) => {
                tracing::warn!(%error, ?pause, "attempt failed");
                ledger.fail(lease, &failure, Some(pause)).await.map(drop)
            }
            Verdict::Final(failure) => {
                tracing::error!(%error, code = failure.code.name(), "export failed");
                ledger.fail(lease, &failure, None).await.map(drop)
            }
            Verdict::HandBack(pause) => {
                tracing::info!(%error, ?pause, "export handed back");
                ledger.hand_back(lease, pause).await
            }
            Verdict::Nothing => {
                tracing::info!(%error, "export left to another claim");
                Ok(())
            }
        };
        if let Err(error) = settled {
            // The lease lapses by itself and rescue goes on from there.
            tracing::warn!(%error, "the end of the attempt could not be recorded");
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
