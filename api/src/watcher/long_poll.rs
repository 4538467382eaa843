//! Holding a request until an export has ended, for a client that prefers to wait.

use std::pin::pin;
use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use waybill_ledger::Intake;
use waybill_ledger::export::{Export, ExportId};
use waybill_report::caller::{Caller, OrgId};

use super::places::{HeldRequest, Places};
use super::watchers::{Watcher, Watchers};
use crate::auth::Authenticator;
use crate::problem::Problem;
use crate::request::prefer::Preferences;

/// Reads exports, and holds requests until they have ended.
pub(crate) struct LongPoll {
    pub(crate) ledger: Arc<dyn Intake>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) places: Arc<Places>,
    pub(crate) authenticator: Arc<Authenticator>,
    /// Cancelled when the service ends: nothing is held back for a client any longer.
    pub(crate) draining: CancellationToken,
}

impl LongPoll {
    /// Holds a request for as long as its client prefers, if there is a [place](Places::hold) for it.
    pub(crate) fn hold(
        &self,
        org: &OrgId,
        preferences: Preferences,
    ) -> (Preferences, Option<HeldRequest>) {
        self.places.hold(org, preferences)
    }

    /// Reads an export until it has ended, as long as the request is held, and returns it as it was read
    /// last; `None` when there is none (any more). A request that is not held reads once.
    ///
    /// An outage of the ledger does not end a wait: at the end of the wait it is seen whether that is over.
    /// What a caller may see is looked at again then, too: its key may have ended meanwhile.
    pub(crate) async fn read(
        &self,
        caller: &Caller,
        id: ExportId,
        held: Option<&HeldRequest>,
    ) -> Result<Option<Export>, Problem> {
        let scope = caller.scope();
        let Some(held) = held else {
            return Ok(self.ledger.get(&scope, id).await?);
        };
        let mut over = pin!(sleep(held.longest()));
        let Some((export, mut watcher)) = self.watchers.follow(&scope, id).await? else {
            return Ok(None);
        };
        if has_ended(&export) {
            return Ok(Some(Arc::unwrap_or_clone(export)));
        }
        let seen = tokio::select! {
            seen = end(&mut watcher) => seen,
            () = &mut over => None,
            () = self.draining.cancelled() => None,
        };
        let current = self.authenticator.current(caller).await?;
        match seen.or_else(|| watcher.latest()) {
            Some(export) if current == *caller => Ok(Some(Arc::unwrap_or_clone(export))),
            // It was deleted, or the reader does not know: the ledger does, or says that it is away. And
            // it knows what another role may see.
            _ => Ok(self.ledger.get(&current.scope(), id).await?),
        }
    }
}

/// Returns the export once it has ended; `None` when it is gone.
async fn end(watcher: &mut Watcher) -> Option<Arc<Export>> {
    loop {
        let export = watcher.changed().await?;
        if has_ended(&export) {
            return Some(export);
        }
    }
}

fn has_ended(export: &Export) -> bool {
    !export.status.is_unfinished()
}
