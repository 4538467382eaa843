//! How many exports run in this process at the same time, how many of them may be large, and when one
//! runs alone.
//!
//! An export that was running when a process died may have killed it. It gets the process for
//! itself, so that it can only harm itself, and its neighbours of then prove that they did not do it.

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use waybill_ledger::Lanes;

/// Whoever asks first is served first: once an export waits to be alone, no other one begins.
pub(crate) struct Slots {
    free: Semaphore,
    all: u32,
    /// Those of them that may run a large export.
    for_large: Semaphore,
    /// Held from the look at what may be claimed until it is.
    claiming: Mutex<()>,
}

/// The right to run; it ends with this.
pub(crate) type Slot<'a> = Option<SemaphorePermit<'a>>;

impl Slots {
    /// So many slots, of which `small` never run a large export; at least one runs any.
    pub(crate) fn new(exports: usize, small: usize) -> Self {
        let all = u32::try_from(exports).unwrap_or(u32::MAX).max(1);
        Self {
            free: Semaphore::new(all as usize),
            all,
            for_large: Semaphore::new((all as usize).saturating_sub(small).max(1)),
            claiming: Mutex::default(),
        }
    }

    /// What may be claimed for a free slot, for as long as the guard is held.
    pub(crate) async fn lanes(&self) -> (Lanes, MutexGuard<'_, ()>) {
        let claiming = self.claiming.lock().await;
        let lanes = if self.for_large.available_permits() > 0 {
            Lanes::Any
        } else {
            Lanes::Small
        };
        (lanes, claiming)
    }

    /// One of the slots that [`lanes`](Self::lanes) found free is for a large export now.
    pub(crate) fn large(&self) -> Slot<'_> {
        self.for_large.try_acquire().ok()
    }

    /// Waits for one of the slots.
    pub(crate) async fn one(&self) -> Slot<'_> {
        // An error would be a closed semaphore, and nobody closes it.
        self.free.acquire().await.ok()
    }

    /// Gives the slot back and waits for all of them: until whatever runs now is over.
    pub(crate) async fn all(&self, slot: Slot<'_>) -> Slot<'_> {
        drop(slot);
        self.free.acquire_many(self.all).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn alone_means_after_the_neighbours_and_before_the_next() {
        let slots = Slots::new(2, 0);
        let (suspect, neighbour) = (slots.one().await, slots.one().await);
        let mut alone = Box::pin(slots.all(suspect));
        assert!(
            alone.as_mut().now_or_never().is_none(),
            "a neighbour still runs"
        );
        let mut next = Box::pin(slots.one());
        assert!(
            next.as_mut().now_or_never().is_none(),
            "a slot is free, but somebody waits for all"
        );
        drop(neighbour);
        let alone = alone.await;
        assert!(next.as_mut().now_or_never().is_none(), "nobody beside it");
        drop(alone);
        next.await;
    }

    #[tokio::test]
    async fn some_slots_are_kept_for_small_exports() {
        let slots = Slots::new(3, 1);
        let claim_large = async || {
            let (lanes, _claiming) = slots.lanes().await;
            assert_eq!(lanes, Lanes::Any);
            slots.large()
        };
        let (first, second) = (claim_large().await, claim_large().await);
        assert_eq!(slots.lanes().await.0, Lanes::Small);
        drop(first);
        assert_eq!(slots.lanes().await.0, Lanes::Any);
        drop(second);
        let only = Slots::new(1, 1);
        assert_eq!(only.lanes().await.0, Lanes::Any, "large exports run too");
    }
}
