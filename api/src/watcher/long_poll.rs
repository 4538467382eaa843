//! Holding a request until an export has ended, for a client that prefers to wait.

use std::pin::pin;
use std::sync::Arc;

use tokio::time::sleep;
use waybill_ledger::export::{Export, ExportId};
use waybill_report::caller::Caller;

use crate::problem::Problem;
use crate::state::ApiState;
use crate::watcher::places::Held;
use crate::watcher::watchers::Watch;

/// Reads an export until it has ended, as long as the request is held, and returns it as it was read last;
/// `None` when there is none (any more). A request that is not held reads once.
///
/// An outage of the ledger does not end a wait: at the end of the wait it is seen whether that is over.
/// What a caller may see is looked at again then, too: its key may have ended meanwhile.
pub(crate) async fn wait(
    state: &ApiState,
    caller: &Caller,
    id: ExportId,
    held: Option<&Held>,
) -> Result<Option<Export>, Problem> {
    let scope = caller.scope();
    let Some(held) = held else {
        return Ok(state.ledger.get(&scope, id).await?);
    };
    let mut over = pin!(sleep(held.longest()));
    let Some((export, mut watch)) = state.watches.follow(&scope, id).await? else {
        return Ok(None);
    };
    if has_ended(&export) {
        return Ok(Some(Arc::unwrap_or_clone(export)));
    }
    let seen = tokio::select! {
        seen = end(&mut watch) => seen,
        () = &mut over => None,
        () = state.draining().cancelled() => None,
    };
    let current = state.authenticator.current(caller).await?;
    match seen.or_else(|| watch.latest()) {
        Some(export) if current == *caller => Ok(Some(Arc::unwrap_or_clone(export))),
        // It was deleted, or the reader does not know: the ledger does, or says that it is away. And it
        // knows what another role may see.
        _ => Ok(state.ledger.get(&current.scope(), id).await?),
    }
}

/// The export once it has ended; `None` when it is gone.
async fn end(watch: &mut Watch) -> Option<Arc<Export>> {
    loop {
        let export = watch.changed().await?;
        if has_ended(&export) {
            return Some(export);
        }
    }
}

fn has_ended(export: &Export) -> bool {
    !export.status.is_unfinished()
}
