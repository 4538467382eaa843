//! Holding a request until an export changed, for a client that prefers to wait.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use waybill_shared::caller::Scope;
use waybill_shared::export::{Export, ExportId};
use waybill_shared::ledger::LedgerError;

use crate::state::ApiState;
use crate::watch::Watch;

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
    let mut watch = Watch::begin(state, scope.clone(), id);
    loop {
        let Some(export) = watch.read().await? else {
            return Ok(None);
        };
        if enough(&export) || Instant::now() >= end || watch.is_over() {
            return Ok(Some(export));
        }
        // At the end of the wait the export is read once more, too.
        drop(timeout_at(end, watch.change()).await);
    }
}
