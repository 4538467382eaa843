//! Keeping a claim: a renewal in the background that also reports the progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waybill_ledger::export::{ExportId, Progress};
use waybill_ledger::{Changes, Lease, LedgerError, Work, change_of};

/// Clients see progress at least this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A lease that is renewed for as long as this lives. What is lost when it lapses: nothing, until
/// another epoch begins or the export ends; then `lost` fires and nothing of this claim may be
/// published.
pub(crate) struct HeldLease {
    lost: CancellationToken,
    progress: Arc<LiveProgress>,
    _renewal: AbortOnDropHandle<()>,
}

/// How far an attempt is, as its pipeline counts.
#[derive(Default)]
pub(crate) struct LiveProgress {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl LiveProgress {
    pub(crate) fn set(&self, rows: u64, bytes: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn read(&self) -> Progress {
        Progress {
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            estimated_rows: None,
        }
    }
}

impl HeldLease {
    /// Renews the lease from now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "its handle is awaited or aborts it"
    )]
    pub(crate) fn keep(
        work: Arc<dyn Work>,
        changes: &dyn Changes,
        lease: Lease,
        lease_for: Duration,
    ) -> Self {
        let lost = CancellationToken::new();
        let progress = Arc::<LiveProgress>::default();
        let renewal = tokio::spawn(renew(
            work,
            changes.changes(),
            lease,
            lease_for,
            Arc::clone(&progress),
            lost.clone(),
        ));
        Self {
            lost,
            progress,
            _renewal: AbortOnDropHandle::new(renewal),
        }
    }

    /// Where the pipeline reports how far it is.
    pub(crate) fn progress(&self) -> &LiveProgress {
        &self.progress
    }

    /// Ends when another epoch began or the export ended: at once where that is heard of, with the next
    /// renewal otherwise.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

async fn renew(
    work: Arc<dyn Work>,
    mut changes: broadcast::Receiver<ExportId>,
    lease: Lease,
    lease_for: Duration,
    progress: Arc<LiveProgress>,
    lost: CancellationToken,
) {
    let mut ticks = tokio::time::interval(REPORT_INTERVAL.min(lease_for / 3));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        let renewed = tokio::select! {
            _ = ticks.tick() => work.renew(&lease, lease_for, progress.read()).await,
            () = change_of(&mut changes, lease.export_id()) => holds(work.as_ref(), &lease).await,
        };
        match renewed {
            Ok(()) => {}
            Err(LedgerError::LeaseLost(_)) => return lost.cancel(),
            // A lapse alone costs nothing; the next tick tries again.
            Err(error) => {
                tracing::warn!(export_id = %lease.export_id(), %error, "could not renew the lease");
            }
        }
    }
}

/// Most changes are this worker's own: nothing is written because of one.
async fn holds(work: &dyn Work, lease: &Lease) -> Result<(), LedgerError> {
    if work.holds(lease).await? {
        Ok(())
    } else {
        Err(LedgerError::LeaseLost(lease.export_id()))
    }
}
