//! Exports as they change, for every client of the process that waits for them: one reader for all.
//!
//! A client shows the ledger once that an export lies in its scope; [`Watchers::follow`] is the only way
//! to a [`Watcher`], and so to what the reader shares. From then on it costs no statement of its own. What
//! is made of a change is for those who watch: a request that is held ([`long_poll`](super::long_poll)), a stream
//! of events ([`events`](crate::answer::events)).
//!
//! ```text
//! hints of the ledger ─┐                  ┌─► Watcher (revision 7 seen)
//!                      ├─ reader ─ states ┼─► Watcher
//! once a second ───────┘  (1 statement)   └─► Watcher …
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;
use waybill_ledger::export::{Export, ExportId};
use waybill_ledger::{Changes, Intake, LedgerError};
use waybill_report::caller::Scope;

use super::latest_states::{LatestState, LatestStates, Subscription};
use super::reader::Reader;

/// Who asks for the latest is told nothing older: two looks of the reader.
const MAX_AGE: Duration = Duration::from_secs(2);

/// Everyone who watches exports, and the reader behind them. Dropped, the reader ends.
pub(crate) struct Watchers {
    ledger: Arc<dyn Intake>,
    states: Arc<LatestStates>,
    _reading: AbortOnDropHandle<()>,
}

impl Watchers {
    /// Starts the reader, which asks nothing while nobody watches. Needs a Tokio runtime.
    pub(crate) fn new(ledger: Arc<dyn Intake>, changes: Arc<dyn Changes>) -> Self {
        let hints = changes.changes();
        Self::reading(ledger, changes, hints)
    }

    /// Returns the same with reads and hints from elsewhere.
    #[expect(
        clippy::disallowed_methods,
        reason = "aborted when the watchers are dropped"
    )]
    pub(crate) fn reading(
        ledger: Arc<dyn Intake>,
        reads: Arc<dyn Changes>,
        changes: broadcast::Receiver<ExportId>,
    ) -> Self {
        let states = Arc::<LatestStates>::default();
        let reader = Reader::new(reads, Arc::clone(&states));
        Self {
            ledger,
            states,
            _reading: AbortOnDropHandle::new(tokio::spawn(reader.run(changes))),
        }
    }

    /// Returns how many exports are watched.
    #[cfg(test)]
    pub(crate) fn watched(&self) -> usize {
        self.states.len()
    }

    /// Returns the export now, and a look at all that becomes of it; `None` when there is none in the scope.
    ///
    /// # Errors
    /// As [`Intake::get`].
    pub(crate) async fn follow(
        &self,
        scope: &Scope,
        id: ExportId,
    ) -> Result<Option<(Arc<Export>, Watcher)>, LedgerError> {
        // LatestStates before it is read, or a change right after the read would be missed.
        let subscription = self.states.subscribe(id);
        let Some(export) = self.ledger.get(scope, id).await? else {
            return Ok(None);
        };
        let export = Arc::new(export);
        self.states
            .show(id, LatestState::Export(Arc::clone(&export)));
        let revision = export.revision;
        Ok(Some((
            export,
            Watcher {
                subscription,
                revision,
            },
        )))
    }
}

/// One client's look at one export.
pub(crate) struct Watcher {
    subscription: Subscription,
    /// What the client knows.
    revision: i64,
}

impl Watcher {
    /// Returns the export as it was a moment ago; `None` when nobody can say, or when it was deleted.
    pub(crate) fn latest(&self) -> Option<Arc<Export>> {
        self.subscription.latest(MAX_AGE)
    }

    /// Returns the export once it is another than the client knows; `None` when it was deleted. Outages of the
    /// ledger only delay it. Dropped unfinished, it has missed nothing.
    pub(crate) async fn changed(&mut self) -> Option<Arc<Export>> {
        loop {
            match self.subscription.next().await {
                LatestState::Export(export) if export.revision > self.revision => {
                    self.revision = export.revision;
                    return Some(export);
                }
                // What was read before the client's own first read, or by that.
                LatestState::Export(_) | LatestState::Unread => {}
                LatestState::Gone => return None,
            }
        }
    }
}
