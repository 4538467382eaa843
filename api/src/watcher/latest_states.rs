//! Which exports are watched, and what was read of each last.
//!
//! An entry lives as long as somebody watches it. Knows no ledger and no scope.

use std::collections::HashMap;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waybill_ledger::export::{Export, ExportId};

/// What was read of an export last.
#[derive(Clone, Debug, Default)]
pub(super) enum Sight {
    /// Nothing yet.
    #[default]
    Unread,
    /// That.
    Export(Arc<Export>),
    /// There is none (any more), and never will be: ids are not used twice.
    Gone,
}

impl Sight {
    /// Whether it tells more than the earlier one. Reads may end in another order than they began.
    fn is_newer(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Unread, _) | (_, Self::Gone) => false,
            (Self::Gone, _) | (_, Self::Unread) => true,
            (Self::Export(new), Self::Export(old)) => new.revision > old.revision,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watched {
    sights: Mutex<HashMap<ExportId, watch::Sender<Sight>>>,
    /// When everything was looked at last.
    looked: Mutex<Option<Instant>>,
}

impl Watched {
    /// Watches an export from now on.
    pub(super) fn watch(self: &Arc<Self>, id: ExportId) -> Watcher {
        let sight = self.lock().entry(id).or_default().subscribe();
        Watcher {
            watched: Arc::clone(self),
            id,
            sight: Some(sight),
        }
    }

    /// Whether anybody watches this export.
    pub(super) fn has(&self, id: ExportId) -> bool {
        self.lock().contains_key(&id)
    }

    /// What is watched and not gone, with the revision that was read last.
    pub(super) fn known(&self) -> Vec<(ExportId, Option<i64>)> {
        let sights = self.lock();
        let known = sights
            .iter()
            .filter_map(|(id, sight)| match &*sight.borrow() {
                Sight::Unread => Some((*id, None)),
                Sight::Export(export) => Some((*id, Some(export.revision))),
                Sight::Gone => None,
            });
        known.collect()
    }

    /// Notes that every sight is as new as this instant.
    pub(super) fn looked(&self, at: Instant) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Shares what was read of an export with all who watch it, unless they know as much.
    pub(super) fn show(&self, id: ExportId, sight: Sight) {
        if let Some(shared) = self.lock().get(&id) {
            shared.send_if_modified(|earlier| {
                let newer = sight.is_newer(earlier);
                if newer {
                    *earlier = sight;
                }
                newer
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExportId, watch::Sender<Sight>>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who watch an export. With the last of them the export is forgotten.
#[derive(Debug)]
pub(super) struct Watcher {
    watched: Arc<Watched>,
    id: ExportId,
    /// Taken when this is dropped.
    sight: Option<watch::Receiver<Sight>>,
}

impl Watcher {
    /// What is read of the export after this was asked last.
    pub(super) async fn next(&mut self) -> Sight {
        if let Some(sight) = &mut self.sight
            && sight.changed().await.is_ok()
        {
            return sight.borrow_and_update().clone();
        }
        // Its entry, which sends, lives as long as this.
        future::pending().await
    }

    /// The export as it was read last, if it was no other one less than `age` ago.
    pub(super) fn latest(&self, age: Duration) -> Option<Arc<Export>> {
        let looked = *self
            .watched
            .looked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if looked.is_none_or(|looked| looked.elapsed() >= age) {
            return None;
        }
        match &*self.sight.as_ref()?.borrow() {
            Sight::Export(export) => Some(Arc::clone(export)),
            Sight::Unread | Sight::Gone => None,
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Under the lock, so that nobody begins to watch between the count and the end.
        let mut sights = self.watched.lock();
        self.sight = None;
        if let Some(sight) = sights.get(&self.id)
            && sight.receiver_count() == 0
        {
            sights.remove(&self.id);
        }
    }
}

#[cfg(test)]
impl Watched {
    /// How many exports are watched.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}
