//! Working on exports, for whoever holds their leases.
//!
//! An outage is no failure of an export, but it does not keep one for ever either. What counts is the
//! time in which an export could not run: of a claim that ended in an outage (see
//! [`hand_back`](Work::hand_back)), and of waiting while no worker can run the exports of its source.
//! Waiting behind other exports does not count.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::claim::{Claim, Lanes, Lease};
use crate::error::LedgerError;
use crate::export::{ExportStatus, Failure, Progress, Receipt};

/// How long one worker's word that it can run the exports of a source keeps others from counting an
/// outage of that source. Workers give it more often.
pub const RUNNABLE_FOR: Duration = Duration::from_secs(30);

/// Why a worker hands an export back. In neither case is a failure counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandBack {
    /// The worker stops; nothing was away.
    Shutdown,
    /// Something that the export needs is away: the time of this claim and the pause after it count
    /// toward giving the export up.
    Outage,
}

/// A source whose exports a worker cannot run, because the source or the store does not answer it.
#[derive(Clone, Copy, Debug)]
pub struct SourceOutage<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The datasets that are read from it.
    pub datasets: &'a [String],
    /// For how long this worker has known: since it looked last, or since the outage began.
    pub lasted: Duration,
}

/// See the module.
#[async_trait]
pub trait Work: Send + Sync {
    /// Claims the export that is to run next: `queued → running`, in a new epoch, with a lease.
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

    /// Claims the same way, without exports of these datasets, which keep their turns.
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

    /// Returns whether the lease is still worth something.
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

    /// Records that a worker can run the exports of these sources now.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError>;

    /// Counts an outage for the exports that wait for it: those of the datasets whose time has come,
    /// each since it was counted last, but for no longer than the outage lasted. Nothing is counted
    /// twice, however many workers see the outage, and nothing while another worker can run them (see
    /// [`RUNNABLE_FOR`]). Returns how many exports there are.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError>;
}

/// What an attempt is about to read, and where it will write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// The instant of the snapshot.
    pub materialized_at: DateTime<Utc>,
    /// The newest source row in it.
    pub source_updated_at: Option<DateTime<Utc>>,
    /// Rows expected; `None` leaves the number that [`enqueue`](crate::Intake::enqueue) recorded.
    pub estimated_rows: Option<u64>,
    /// Where the file goes, below the prefix.
    pub object_key: String,
}
