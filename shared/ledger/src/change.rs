//! Waiting for a hint that one export changed.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::export::ExportId;

/// Ends when the export may have changed since the receiver was made or asked last. Hints may be lost
/// without a word (see [`Ledger::changes`](super::Ledger::changes)), so whoever waits here also looks
/// by the clock.
pub async fn change_of(changes: &mut Receiver<ExportId>, id: ExportId) {
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
