//! Holding a request until an export changed, for a client that prefers to wait.
//!
//! Listens to the ledger's hints and reads again after each, and once a second without one: a hint may
//! have been lost. It holds no slot and no connection while it waits.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use waybill_shared::caller::Scope;
use waybill_shared::export::{Export, ExportId};
use waybill_shared::ledger::LedgerError;

use crate::state::ApiState;

/// How long a change may go unnoticed that no hint told of.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Reads an export until `enough` says so, for `longest` at most, and returns it as it was read last;
/// `None` when there is none (any more). With no `longest`, reads once.
pub(crate) async fn wait(
    state: &ApiState,
    scope: &Scope,
    id: ExportId,
    longest: Option<Duration>,
    mut enough: impl FnMut(&Export) -> bool,
) -> Result<Option<Export>, LedgerError> {
    let Some(longest) = longest else {
        return state.ledger.get(scope, id).await;
    };
    let end = Instant::now() + longest;
    // Before the first read, or a change right after it would be missed.
    let mut changes = state.ledger.changes();
    loop {
        let Some(export) = state.ledger.get(scope, id).await? else {
            return Ok(None);
        };
        if enough(&export) || Instant::now() >= end || state.draining().is_cancelled() {
            return Ok(Some(export));
        }
        let read_again = end.min(Instant::now() + READ_AGAIN);
        let change = async {
            loop {
                match changes.recv().await {
                    Ok(changed) if changed == id => break,
                    Ok(_) => {}
                    // Some hints are lost: this export's may be among them.
                    Err(RecvError::Lagged(_)) => break,
                    // No more hints at all; the next read comes by the clock.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = state.draining().cancelled() => {}
            // Whether a hint came or the time is over, the export is read again.
            _ = timeout_at(read_again, change) => {}
        }
    }
}
