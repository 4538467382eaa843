//! The record of every export: who may work on it, how far it is, how it ended.
//!
//! The ledger decides, the queue only wakes. Every transition is one guarded UPDATE, so that any
//! number of processes may race and one of them wins. It knows no file and no query engine.

#![deny(missing_docs)]

mod backlog;
mod change;
#[cfg(test)]
pub(crate) mod conformance;
pub mod database;
mod db;
mod enqueue;
mod error;
pub mod export;
pub mod keys;
pub mod metrics;
mod outages;
pub mod queue;
mod shared_reads;
mod sql;
#[cfg(test)]
mod states;
mod upkeep;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::broadcast;
use waybill_report::caller::{OrgId, Scope};

use crate::export::{Export, ExportId, ExportStatus, Failure, Lease, Progress, Receipt};

pub use self::backlog::{Backlog, LaneBacklog, Lanes, OrgActivity};
pub use self::change::change_of;
pub use self::enqueue::{
    Enqueued, IDEMPOTENCY_KEPT, IdempotencyKey, NewExport, NoIdempotencyKey, Sharing, Terms,
};
pub use self::error::LedgerError;
pub use self::export::Lane;
pub use self::outages::{HandBack, Outages, RUNNABLE_FOR, SourceOutage};
pub use self::shared_reads::SharedReads;
pub use self::upkeep::{LeftUpload, Leftover, Upkeep};

/// Changes that a slow listener may fall behind.
const CHANGES_KEPT: usize = 1_024;

/// The transitions of exports that clients and workers make, and what is asked about them.
#[async_trait]
pub trait Ledger: Upkeep + Outages + SharedReads {
    /// Records an export as `queued` and wakes a worker, both in one transaction, unless another
    /// one is the answer or the terms are not met. They hold whichever processes ask at once.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; then nothing was recorded, or its answer was lost.
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError>;

    /// What the idempotency key stands for already: [`Enqueued::Replayed`] or
    /// [`Enqueued::KeyReused`]. `None`: nothing, at the moment.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError>;

    /// The export of this id, if it lies in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError>;

    /// Exports of the scope, newest first.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError>;

    /// What waits and how fast it drains.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn backlog(&self) -> Result<Backlog, LedgerError>;

    /// What an organisation has going, and how fast it drains.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError>;

    /// Takes the export that is to run next: `queued → running`, in a new epoch, with a lease.
    ///
    /// In each lane organisations take turns, as in fair queueing: an export's turn is two after the
    /// last of its organisation's unfinished ones, and at least one after that of the export that
    /// was started last. So the first export of an organisation runs before what others had queued
    /// up, and whoever waits is reached, however many come after it.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn claim_next(
        &self,
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError> {
        self.claim_next_but(&[], lease_for, lanes).await
    }

    /// The same without exports of these datasets, which keep their turns.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn claim_next_but(
        &self,
        datasets: &[String],
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError>;

    /// Prolongs a lease and records how far the work is. An estimate of `None` leaves the one that
    /// is recorded.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`] once another epoch began or the export ended.
    async fn renew(
        &self,
        lease: &Lease,
        lease_for: Duration,
        progress: Progress,
    ) -> Result<(), LedgerError>;

    /// Whether the lease is still worth something.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError>;

    /// Records that the process runs nothing else, so that its death is this export's failure.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew).
    async fn isolate(&self, lease: &Lease) -> Result<(), LedgerError>;

    /// Records the snapshot that is being read and where its file will be written, before anything
    /// is: whatever a worker that dies leaves there can be found.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew).
    async fn record_snapshot(
        &self,
        lease: &Lease,
        snapshot: &SnapshotRecord,
    ) -> Result<(), LedgerError>;

    /// Records the store's id of the upload before its first part.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew): the upload is the caller's to abort.
    async fn record_upload(&self, lease: &Lease, upload_id: &str) -> Result<(), LedgerError>;

    /// Publishes the file: `running → completed`. The upload's record goes with it.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew). After
    /// [`LedgerError::Unavailable`] the outcome is unknown: never delete the object then.
    async fn complete(
        &self,
        lease: &Lease,
        receipt: &Receipt,
        retention: Duration,
    ) -> Result<(), LedgerError>;

    /// Counts a failure of the attempt: `running → queued` for another try after `delay`, or
    /// `running → failed` when there are no more or `delay` is `None`.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew).
    async fn fail(
        &self,
        lease: &Lease,
        failure: &Failure,
        delay: Option<Duration>,
    ) -> Result<ExportStatus, LedgerError>;

    /// Gives an export back, `running → queued`, without counting a failure; it is not claimed before
    /// the delay is over.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], as [`renew`](Self::renew).
    async fn hand_back(
        &self,
        lease: &Lease,
        delay: Duration,
        reason: HandBack,
    ) -> Result<(), LedgerError>;

    /// Stops an export for good: `queued | running → cancelled`. `None` when there is no such export
    /// in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; cancelling again does no harm.
    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError>;

    /// Removes an export, whatever its state, and leaves its file to be removed; both in one
    /// transaction. `false` when there is no such export in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; deleting again does no harm.
    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError>;

    /// Hears of changed exports, whichever process changed them. A hint, not a log: hints that come
    /// while the receiver lags, or while the connection that brings those of other processes is
    /// away, are lost without a word. Who waits for a change reads again from time to time.
    fn changes(&self) -> broadcast::Receiver<ExportId>;

    /// Whether the database answers and has the migrations of this program. Newer ones are fine:
    /// they only add (see `migrations/README.md`), so that a database is migrated first and its
    /// processes are replaced afterwards.
    ///
    /// # Errors
    /// [`LedgerError`] when not.
    async fn check(&self) -> Result<(), LedgerError>;
}

/// Which exports of a scope to list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Only this status.
    pub status: Option<ExportStatus>,
    /// Only this dataset.
    pub dataset: Option<String>,
    /// Only exports older than this one.
    pub before: Option<ExportId>,
    /// The most entries.
    pub limit: u32,
}

/// A claimed export and the proof of the claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The export, `running`.
    pub export: Export,
    /// The right to work on it.
    pub lease: Lease,
}

impl Claim {
    /// Of an export that was claimed just now.
    fn of(export: Export) -> Self {
        let lease = Lease {
            export_id: export.id,
            epoch: export.epoch,
        };
        Self { export, lease }
    }
}

/// What became of a cancellation.
#[derive(Clone, Debug)]
pub enum Cancel {
    /// It is cancelled, now or since an earlier call.
    Cancelled(Box<Export>),
    /// It had ended in another way, and did not change.
    Finished(Box<Export>),
}

impl Cancel {
    /// Of an export that nothing can change any more but its expiry.
    fn of(export: Export) -> Self {
        if export.status == ExportStatus::Cancelled {
            Self::Cancelled(Box::new(export))
        } else {
            Self::Finished(Box::new(export))
        }
    }
}

/// What an attempt is about to read, and where it will write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// The instant of the snapshot.
    pub materialized_at: DateTime<Utc>,
    /// The newest source row in it.
    pub source_updated_at: Option<DateTime<Utc>>,
    /// Rows expected; `None` leaves the number that [`enqueue`](Ledger::enqueue) recorded.
    pub estimated_rows: Option<u64>,
    /// Where the file goes, below the prefix.
    pub object_key: String,
}

/// The precision in which a ledger keeps instants.
#[cfg(test)]
fn whole_micros(instant: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::SubsecRound as _;
    instant.trunc_subsecs(6)
}
