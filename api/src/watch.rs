//! One export as it changes: reads it, and says when it is worth reading again.
//!
//! Listens to the ledger's hints, and lets no second pass without a read: a hint may have been lost. It
//! holds no slot and no connection in between. What is made of a change is for those who watch: a request
//! that is held ([`wait`](crate::wait)), a stream of events ([`events`](crate::events)).

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use waybill_shared::caller::Scope;
use waybill_shared::export::{Export, ExportId};
use waybill_shared::ledger::{LedgerError, change_of};

use crate::state::ApiState;

/// How long a change may go unnoticed that no hint told of.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Somebody's look at one export.
pub(crate) struct Watch {
    state: ApiState,
    scope: Scope,
    id: ExportId,
    changes: Receiver<ExportId>,
}

impl Watch {
    /// Begins before the first read, or a change right after it would be missed.
    pub(crate) fn begin(state: &ApiState, scope: Scope, id: ExportId) -> Self {
        Self {
            changes: state.ledger.changes(),
            state: state.clone(),
            scope,
            id,
        }
    }

    /// The export now; `None` when there is none (any more).
    pub(crate) async fn read(&self) -> Result<Option<Export>, LedgerError> {
        self.state.ledger.get(&self.scope, self.id).await
    }

    /// Returns when the export is to be read again: something may have changed, or the service drains.
    pub(crate) async fn change(&mut self) {
        let draining = self.state.draining();
        tokio::select! {
            () = draining.cancelled() => {}
            // Whether a hint came or the second is over is all the same.
            _ = timeout(READ_AGAIN, change_of(&mut self.changes, self.id)) => {}
        }
    }

    /// Whether the service drains, so that nobody is to be kept waiting.
    pub(crate) fn is_over(&self) -> bool {
        self.state.draining().is_cancelled()
    }

    /// Until the service drains.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        self.state.draining().clone().cancelled_owned()
    }
}
