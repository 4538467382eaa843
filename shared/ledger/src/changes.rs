//! Hearing of changes, and reading many exports at once, for whoever waits on behalf of clients.

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::error::LedgerError;
use crate::export::{Export, ExportId};

/// Changes that a slow listener may fall behind.
pub(crate) const CHANGES_KEPT: usize = 1_024;

/// See the module. Reads have no scope: they are for ids that were shown to lie in the scope of those
/// who are told of them, by [`Intake::get`](crate::Intake::get). Each is one statement.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Hears of changed exports, whichever process changed them. A hint, not a log: hints that come
    /// while the receiver lags, or while the connection that brings those of other processes is
    /// away, are lost without a word. Who waits for a change reads again from time to time.
    fn changes(&self) -> broadcast::Receiver<ExportId>;

    /// Returns those of these exports that exist, in any order. One that cannot be read is logged and
    /// left out: the others are for other clients.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError>;

    /// Returns the [`revision`](Export::revision) of those of these exports that exist, in any order.
    /// Costs much less than reading them.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError>;
}

/// Ends when the export may have changed since the receiver was made or asked last. Hints may be lost
/// without a word (see [`Changes::changes`]), so whoever waits here also looks
/// by the clock.
pub async fn change_of(changes: &mut broadcast::Receiver<ExportId>, id: ExportId) {
    loop {
        match changes.recv().await {
            Ok(changed) if changed == id => return,
            Ok(_) => {}
            // Some hints are lost: this export's may be among them.
            Err(RecvError::Lagged(_)) => return,
            // No more hints at all.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
