//! Holding a request until an export changed, for a client that prefers to wait.

use std::pin::pin;
use std::sync::Arc;

use tokio::time::sleep;
use waybill_shared::caller::Scope;
use waybill_shared::export::{Export, ExportId};
use waybill_shared::ledger::LedgerError;

use crate::state::ApiState;
use crate::waiting::Held;
use crate::watch::Watch;

/// Reads an export until `enough` says so, as long as the request is held, and returns it as it was read
/// last; `None` when there is none (any more). A request that is not held reads once.
///
/// An outage of the ledger does not end a wait; whether it is over is seen at the end of the wait.
pub(crate) async fn wait(
    state: &ApiState,
    scope: &Scope,
    id: ExportId,
    held: Option<&Held>,
    mut enough: impl FnMut(&Export) -> bool,
) -> Result<Option<Export>, LedgerError> {
    let Some(held) = held else {
        return state.ledger.get(scope, id).await;
    };
    let mut over = pin!(sleep(held.longest()));
    let Some((export, mut watch)) = state.watches.follow(scope, id).await? else {
        return Ok(None);
    };
    if enough(&export) {
        return Ok(Some(Arc::unwrap_or_clone(export)));
    }
    let seen = tokio::select! {
        seen = until(&mut watch, enough) => seen,
        () = &mut over => None,
        () = state.draining().cancelled() => None,
    };
    match seen {
        Some(export) => Ok(Some(Arc::unwrap_or_clone(export))),
        // At the end of the wait the export is read once more; also one that was deleted.
        None => state.ledger.get(scope, id).await,
    }
}

/// The export once there is enough of it; `None` when it is gone.
async fn until(watch: &mut Watch, mut enough: impl FnMut(&Export) -> bool) -> Option<Arc<Export>> {
    loop {
        let export = watch.changed().await?;
        if enough(&export) {
            return Some(export);
        }
    }
}
