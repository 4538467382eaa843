//! Which exports are watched, and what was read of each last.
//!
//! An entry lives as long as somebody watches it. Knows no ledger and no scope.

use std::collections::HashMap;
use std::future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use waybill_ledger::export::{Export, ExportId};

/// What was read of an export last.
#[derive(Clone, Debug, Default)]
pub(super) enum LatestState {
    /// Nothing yet.
    #[default]
    Unread,
    /// That.
    Export(Arc<Export>),
    /// There is none (any more), and never will be: ids are not used twice.
    Gone,
}

impl LatestState {
    /// Returns whether it tells more than the earlier one. Reads may end in another order than they began.
    fn is_newer(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Unread, _) | (_, Self::Gone) => false,
            (Self::Gone, _) | (_, Self::Unread) => true,
            (Self::Export(new), Self::Export(old)) => new.revision > old.revision,
        }
    }
}

/// What was read last of each export that is watched.
#[derive(Debug, Default)]
pub(super) struct LatestStates {
    states: Mutex<HashMap<ExportId, watch::Sender<LatestState>>>,
    /// When everything was compared with the ledger last.
    compared_at: Mutex<Option<Instant>>,
}

impl LatestStates {
    /// Watches an export from now on.
    pub(super) fn subscribe(self: &Arc<Self>, id: ExportId) -> Subscription {
        let state = self.lock().entry(id).or_default().subscribe();
        Subscription {
            states: Arc::clone(self),
            id,
            state: Some(state),
        }
    }

    /// Returns whether anybody watches this export.
    pub(super) fn has(&self, id: ExportId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Returns what is watched and not gone, with the revision that was read last.
    pub(super) fn known(&self) -> Vec<(ExportId, Option<i64>)> {
        let states = self.lock();
        let known = states
            .iter()
            .filter_map(|(id, state)| match &*state.borrow() {
                LatestState::Unread => Some((*id, None)),
                LatestState::Export(export) => Some((*id, Some(export.revision))),
                LatestState::Gone => None,
            });
        known.collect()
    }

    /// Notes that every state was compared at this instant.
    pub(super) fn compared(&self, at: Instant) {
        *self.compared_at.lock() = Some(at);
    }

    /// Shares what was read of an export with all who watch it, unless they know as much.
    pub(super) fn show(&self, id: ExportId, state: LatestState) {
        if let Some(shared) = self.lock().get(&id) {
            shared.send_if_modified(|earlier| {
                let newer = state.is_newer(earlier);
                if newer {
                    *earlier = state;
                }
                newer
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExportId, watch::Sender<LatestState>>> {
        self.states.lock()
    }
}

/// One of those who watch an export. With the last of them the export is forgotten.
#[derive(Debug)]
pub(super) struct Subscription {
    states: Arc<LatestStates>,
    id: ExportId,
    /// Taken when this is dropped.
    state: Option<watch::Receiver<LatestState>>,
}

impl Subscription {
    /// Waits for what is read of the export after this was asked last.
    pub(super) async fn next(&mut self) -> LatestState {
        if let Some(state) = &mut self.state
            && state.changed().await.is_ok()
        {
            return state.borrow_and_update().clone();
        }
        // Its entry, which sends, lives as long as this.
        future::pending().await
    }

    /// Returns the export as it was read last, if it was no other one less than `age` ago.
    pub(super) fn latest(&self, age: Duration) -> Option<Arc<Export>> {
        let compared_at = *self.states.compared_at.lock();
        if compared_at.is_none_or(|compared_at| compared_at.elapsed() >= age) {
            return None;
        }
        match &*self.state.as_ref()?.borrow() {
            LatestState::Export(export) => Some(Arc::clone(export)),
            LatestState::Unread | LatestState::Gone => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Under the lock, so that nobody begins to watch between the count and the end.
        let mut states = self.states.lock();
        self.state = None;
        if let Some(state) = states.get(&self.id)
            && state.receiver_count() == 0
        {
            states.remove(&self.id);
        }
    }
}

#[cfg(test)]
impl LatestStates {
    /// How many exports are watched.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}
