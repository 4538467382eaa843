//! How many exports run in this process at the same time, and when one runs alone.
//!
//! An export that was running when a process died may have killed it. It gets the process for
//! itself, so that it can only harm itself, and its neighbours of then prove that they did not do it.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Whoever asks first is served first: once an export waits to be alone, no other one begins.
pub(crate) struct Slots {
    free: Semaphore,
    all: u32,
}

/// The right to run; it ends with this.
pub(crate) type Slot<'a> = Option<SemaphorePermit<'a>>;

impl Slots {
    pub(crate) fn new(exports: usize) -> Self {
        let all = u32::try_from(exports).unwrap_or(u32::MAX).max(1);
        Self {
            free: Semaphore::new(all as usize),
            all,
        }
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
        let slots = Slots::new(2);
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
}
