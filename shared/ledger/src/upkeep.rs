//! What keeps a ledger in order while processes die around it: the changes that neither a client nor
//! the holder of a lease makes. Each is safe in any number of processes at once.
//!
//! What has to be removed from the store is recorded here, in the transaction that makes it
//! superfluous. Removing it is somebody else's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::LedgerError;
use crate::export::{ExportId, Failure};

/// The most rows that one call expires, purges or takes.
pub(crate) const BATCH_SIZE: u32 = 100;

/// See the module.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Reads the ledger's clock, by which leases lapse and files expire.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn now(&self) -> Result<DateTime<Utc>, LedgerError>;

    /// Takes exports from workers that stopped renewing: `running → queued`. Whether they or a
    /// neighbour took the process with them is unknown, so each becomes suspect and will run alone.
    /// One that was alone when its process died is counted a failure, and is `failed` after the last
    /// attempt. With `all`, every lease is taken as lapsed: only for the one process of an embedded
    /// ledger, at its start.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError>;

    /// Ends exports that wait and could not run for so long altogether: `queued → failed`. Some at a
    /// time; returns which.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError>;

    /// Wakes a worker once more for exports that wait though their time has come; returns how many
    /// there are.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError>;

    /// Brings back what a clock that was set back left in a far future: pauses longer than
    /// `longest_pause` are over, leases longer than twice `lease_for` last as long as a new one.
    /// Returns how many there were.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn bound_waits(
        &self,
        longest_pause: Duration,
        lease_for: Duration,
    ) -> Result<u64, LedgerError>;

    /// Ends exports whose file was kept long enough, `completed → expired`: their files are
    /// orphaned objects. Some at a time; returns how many.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn expire(&self) -> Result<u64, LedgerError>;

    /// Drops the records of exports that have had no file for so long, and what idempotency keys
    /// stood for. Some at a time; returns how many exports.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn purge(&self, kept_for: Duration) -> Result<u64, LedgerError>;

    /// Takes orphaned objects whose time has come, some at a time. For `hold` they are this caller's:
    /// nobody else is given them, unless it dies with them. The time of an upload comes `rest` after its
    /// claim was found to be over: the last requests of its worker may still be on their way.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn take_orphans(
        &self,
        hold: Duration,
        rest: Duration,
    ) -> Result<Vec<OrphanedObject>, LedgerError>;

    /// Records that an orphaned object is gone from the store: to be swept once more after a while, or
    /// to be forgotten.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn settle_orphan(
        &self,
        orphan: &OrphanedObject,
        sweep_again: Option<Duration>,
    ) -> Result<(), LedgerError>;
}

/// What has to go from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedObject {
    /// The key below the prefix; an object may lie there.
    pub object_key: String,
    /// The unfinished upload under that key.
    pub upload: OrphanedUpload,
    /// How often it was removed already.
    pub sweeps: u32,
}

/// What is known of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanedUpload {
    /// There is none.
    None,
    /// One may have been begun by a worker that died before it could record the store's id.
    Unrecorded,
    /// The store's id of it.
    Recorded(String),
}

/// As the columns `object_key`, `upload_id` and `looks` say.
impl From<(String, Option<String>, i32)> for OrphanedObject {
    fn from((object_key, upload_id, looks): (String, Option<String>, i32)) -> Self {
        Self {
            object_key,
            upload: match upload_id {
                None => OrphanedUpload::None,
                Some(id) if id.is_empty() => OrphanedUpload::Unrecorded,
                Some(id) => OrphanedUpload::Recorded(id),
            },
            sweeps: looks.unsigned_abs(),
        }
    }
}
