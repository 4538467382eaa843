//! Exports that cannot run because a database or the store is away, and the end of waiting for it.
//!
//! An outage is no failure of an export, but it does not keep one for ever either. What counts is the
//! time in which an export could not run: of a claim that ended in an outage (see
//! [`hand_back`](super::Ledger::hand_back)), and of waiting while no worker can run the exports of its
//! source. Waiting behind other exports does not count.

use std::time::Duration;

use async_trait::async_trait;

use super::LedgerError;
use crate::export::{ExportId, Failure};

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
pub trait Outages: Send + Sync {
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
}
