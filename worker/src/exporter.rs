//! From a wake-up to an end: claim, attempt, publish or judge. Read it as the story of one export.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use waybill_ledger::export::{ExportStatus, Failure, Receipt};
use waybill_ledger::metrics::Outcome;
use waybill_ledger::{Changes, Claim, HandBack, Lane, Lease, LedgerError, Work};
use waybill_report::pipe::{PipeLimits, RowLimit};
use waybill_report::size::SizeLimits;

use crate::attempt::{AttemptError, Pipeline};
use crate::claim_gate::ClaimGate;
use crate::dependencies::Dependencies;
use crate::lease::HeldLease;
use crate::lost_lease::outcome_of_loss;
use crate::metrics::WorkerMetrics;
use crate::panic::caught;
use crate::slots::{Slot, Slots};
use crate::verdict::{Verdict, judge};

/// Between two tries to record an end while the ledger is away.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// Runs exports, each in its own task.
pub(crate) struct Exporter {
    pipeline: Pipeline,
    work: Arc<dyn Work>,
    changes: Arc<dyn Changes>,
    gate: Arc<ClaimGate>,
    slots: Slots,
    lease_for: Duration,
    timeout: Duration,
    retention: Duration,
    metrics: WorkerMetrics,
    /// Fires when no more exports are to be claimed.
    shutdown: CancellationToken,
    /// Fires when running exports have to be handed back.
    interrupt: CancellationToken,
}

impl Exporter {
    pub(crate) fn new(
        with: &Dependencies,
        gate: Arc<ClaimGate>,
        metrics: WorkerMetrics,
        shutdown: CancellationToken,
        interrupt: CancellationToken,
    ) -> Self {
        Self {
            pipeline: Pipeline {
                catalog: Arc::clone(&with.catalog),
                sources: with.sources.clone(),
                ledger: Arc::clone(&with.work),
                bucket: with.bucket.clone(),
                limits: PipeLimits {
                    rows: RowLimit::FailAfter(with.exports.max_rows),
                    sizes: SizeLimits::of_export(with.exports.max_cell_bytes),
                    freshness_budget: with.exports.freshness_timeout(),
                },
                metrics: metrics.clone(),
            },
            work: Arc::clone(&with.work),
            changes: Arc::clone(&with.changes),
            gate,
            slots: Slots::new(with.worker.concurrency, with.worker.small_slots),
            lease_for: with.worker.lease(),
            timeout: with.exports.timeout(),
            retention: with.exports.retention(),
            metrics,
            shutdown,
            interrupt,
        }
    }

    /// Claims the export that is to run next, if there is one, and works on it to an end. After a large
    /// one once more: the wake-up of the next large one may have come while there was no slot for it.
    pub(crate) async fn run_next(self: Arc<Self>) {
        while self.run_one().await == Some(Lane::Large) && !self.shutdown.is_cancelled() {}
    }

    /// Returns the lane of the export that ran.
    async fn run_one(&self) -> Option<Lane> {
        let slot = self.slots.one().await;
        let (lanes, claiming) = self.slots.lanes().await;
        let away = self.gate.claimable().await?;
        let claim = self.work.claim_next_but(&away, self.lease_for, lanes);
        let claim = match claim.await {
            Ok(claim) => claim?,
            Err(error) => {
                tracing::warn!(%error, "could not claim an export");
                return None;
            }
        };
        let lane = claim.export.lane;
        let _large = (lane == Lane::Large).then(|| self.slots.large());
        drop(claiming);
        let export = &claim.export;
        let span = tracing::info_span!("export", export_id = %export.id, org = %export.org);
        self.run(claim, slot).instrument(span).await;
        Some(lane)
    }

    async fn run(&self, claim: Claim, slot: Slot<'_>) {
        tracing::info!(
            dataset = claim.export.spec.query.dataset,
            attempt = claim.export.attempt(),
            epoch = claim.lease.epoch(),
            "export started"
        );
        let attempt = self.metrics.begin(&claim.export);
        let held = HeldLease::keep(
            Arc::clone(&self.work),
            self.changes.as_ref(),
            claim.lease.clone(),
            self.lease_for,
        );
        let published = match self.attempt(&claim, &held, slot).await {
            Ok(receipt) => {
                self.gate.stored();
                self.publish(&claim, receipt).await
            }
            Err(error) => {
                self.gate.failed(&error);
                Err(error)
            }
        };
        let outcome = match published {
            Ok(()) => Outcome::Completed,
            Err(error) => self.settle(&claim, &error).await,
        };
        attempt.end(outcome);
    }

    /// The pipeline, until it ends or something ends it.
    async fn attempt(
        &self,
        claim: &Claim,
        held: &HeldLease,
        slot: Slot<'_>,
    ) -> Result<Receipt, AttemptError> {
        tokio::select! {
            outcome = caught(self.work(claim, held, slot)) => outcome.unwrap_or_else(|panic| Err(AttemptError::Panic(panic))),
            () = held.lost() => Err(LedgerError::LeaseLost(claim.lease.export_id()).into()),
            () = self.interrupt.cancelled() => Err(AttemptError::Interrupted),
        }
    }

    async fn work(
        &self,
        claim: &Claim,
        held: &HeldLease,
        slot: Slot<'_>,
    ) -> Result<Receipt, AttemptError> {
        let _slot = if claim.export.suspect {
            tracing::info!("a process died while this export ran; it runs alone");
            let alone = self.slots.all(slot).await;
            self.work.isolate(&claim.lease).await?;
            alone
        } else {
            slot
        };
        let pipeline = self
            .pipeline
            .run(&claim.export, &claim.lease, held.progress());
        tokio::time::timeout(self.timeout, pipeline)
            .await
            .unwrap_or(Err(AttemptError::Timeout(self.timeout)))
    }

    async fn publish(&self, claim: &Claim, receipt: Receipt) -> Result<(), AttemptError> {
        self.record(&claim.lease, End::Published(&receipt)).await?;
        self.metrics.published(&receipt);
        tracing::info!(
            rows = receipt.row_count,
            bytes = receipt.size_bytes,
            "export completed"
        );
        Ok(())
    }

    async fn settle(&self, claim: &Claim, error: &AttemptError) -> Outcome {
        let lease = &claim.lease;
        let settled = match judge(error, claim.export.failures) {
            Verdict::Retry(failure, pause) => {
                tracing::warn!(%error, ?pause, "attempt failed");
                let recorded = self.record(lease, End::Failed(&failure, Some(pause)));
                recorded.await.map(|status| match status {
                    ExportStatus::Failed => Outcome::Failed(failure.code),
                    _ => Outcome::Retried(failure.code),
                })
            }
            Verdict::Final(failure) => {
                tracing::error!(%error, code = failure.code.name(), "export failed");
                let recorded = self.record(lease, End::Failed(&failure, None)).await;
                recorded.map(|_| Outcome::Failed(failure.code))
            }
            Verdict::HandBack(pause, reason) => {
                match reason {
                    HandBack::Shutdown => tracing::info!("export handed back"),
                    HandBack::Outage => {
                        tracing::warn!(%error, ?pause, "export handed back: something that it needs is away");
                    }
                }
                let recorded = self.record(lease, End::HandedBack(pause, reason)).await;
                recorded.map(|_| Outcome::HandedBack)
            }
            Verdict::Nothing => {
                tracing::info!(%error, "the export is no longer this claim's");
                return outcome_of_loss(self.changes.as_ref(), claim).await;
            }
        };
        let error = match settled {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        // The lease lapses by itself and rescue goes on from there.
        tracing::warn!(%error, "the end of the attempt could not be recorded");
        match error {
            LedgerError::LeaseLost(_) => outcome_of_loss(self.changes.as_ref(), claim).await,
            _ => Outcome::Unrecorded,
        }
    }

    /// Records an end, again and again while the ledger is away: an outage is no reason to lose
    /// what was done, and the lease is renewed meanwhile or lapses with no harm. Where the answer
    /// of a try was lost that had succeeded, the next one finds the lease lost, and that is that.
    /// Returns what the export is now.
    async fn record(&self, lease: &Lease, end: End<'_>) -> Result<ExportStatus, LedgerError> {
        loop {
            let recorded = match end {
                End::Published(receipt) => {
                    let retention = self.retention;
                    let completed = self.work.complete(lease, receipt, retention).await;
                    completed.map(|()| ExportStatus::Completed)
                }
                End::Failed(failure, pause) => self.work.fail(lease, failure, pause).await,
                End::HandedBack(pause, reason) => {
                    let handed_back = self.work.hand_back(lease, pause, reason).await;
                    handed_back.map(|()| ExportStatus::Queued)
                }
            };
            let Err(error @ (LedgerError::Unavailable(_) | LedgerError::Queue(_))) = recorded
            else {
                return recorded;
            };
            tracing::warn!(%error, "the end of the attempt could not be recorded yet");
            tokio::select! {
                () = self.interrupt.cancelled() => return Err(error),
                () = tokio::time::sleep(RECORD_AGAIN) => {}
            }
        }
    }
}

/// How an attempt ends in the ledger.
#[derive(Clone, Copy)]
enum End<'a> {
    /// With a file.
    Published(&'a Receipt),
    /// With a failure, and another attempt after the pause if there is one.
    Failed(&'a Failure, Option<Duration>),
    /// Without a failure; another attempt after the pause.
    HandedBack(Duration, HandBack),
}
