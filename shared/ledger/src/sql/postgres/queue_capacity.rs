//! How many more exports the queue takes, without counting what waits for each of them.
//!
//! Counting costs more the more waits, and a lock to count exactly lets one export in at a time. So a
//! count serves for a moment, and what this process adds meanwhile, recorded or still on its way, is
//! added to it. What other processes add is not, which is no matter while there are more places than
//! exports can be on their way: only the last places are given out by a lock (see
//! [`Reservation::is_among_the_last`]). A refusal is never taken from an old count.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a count serves.
const COUNT_SERVES: Duration = Duration::from_millis(100);

/// More exports than all processes together record within [`COUNT_SERVES`] and have on their way: each
/// of these takes a connection for some milliseconds.
const LAST_PLACES: u64 = 256;

/// What waited when it was counted last, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct QueueCapacity {
    state: Mutex<State>,
    /// Held while one counts for everybody who needs a new count.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Count>,
    /// Reservations that were given out and whose exports a count may not see yet.
    on_their_way: u64,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    at: Instant,
    queued: u64,
}

/// A place in the queue, held until the export is recorded or given up.
#[derive(Debug)]
pub(super) struct Reservation<'c> {
    capacity: &'c QueueCapacity,
    is_among_the_last: bool,
}

impl Reservation<'_> {
    /// Whether it may be gone already, to another process: it is to be counted once more, by one
    /// process at a time.
    pub(super) fn is_among_the_last(&self) -> bool {
        self.is_among_the_last
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.capacity.state.lock().on_their_way -= 1;
    }
}

impl QueueCapacity {
    /// Reserves a place, if there is one; `count` says how many exports wait, when that has to be asked.
    pub(super) async fn reserve<E>(
        &self,
        max_queued: u64,
        count: impl AsyncFnOnce() -> Result<u64, E>,
    ) -> Result<Option<Reservation<'_>>, E> {
        if let Some(reserved) = self.try_reserve(max_queued) {
            return Ok(Some(reserved));
        }
        let _one_at_a_time = self.counting.lock().await;
        // Somebody else may have counted meanwhile.
        if let Some(reserved) = self.try_reserve(max_queued) {
            return Ok(Some(reserved));
        }
        let queued = count().await?;
        let mut state = self.state.lock();
        state.last = Some(Count {
            at: Instant::now(),
            queued: queued + state.on_their_way,
        });
        drop(state);
        Ok(self.try_reserve(max_queued))
    }

    /// Reserves a place of the last count, if that still serves and has one.
    fn try_reserve(&self, max_queued: u64) -> Option<Reservation<'_>> {
        let mut state = self.state.lock();
        let count = state.last.as_mut()?;
        if count.at.elapsed() >= COUNT_SERVES || count.queued >= max_queued {
            return None;
        }
        count.queued += 1;
        let queued = count.queued;
        state.on_their_way += 1;
        Some(Reservation {
            capacity: self,
            is_among_the_last: queued + LAST_PLACES > max_queued,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn reserve(
        capacity: &QueueCapacity,
        queued: u64,
        max_queued: u64,
    ) -> Option<Reservation<'_>> {
        let counted = capacity.reserve(max_queued, async || Ok::<_, Infallible>(queued));
        counted.await.unwrap_or_else(|never| match never {})
    }

    #[tokio::test]
    async fn places_are_taken_until_none_is_left() {
        let capacity = QueueCapacity::default();
        let first = reserve(&capacity, 0, 2).await.expect("room for two");
        let second = reserve(&capacity, 0, 2).await.expect("room for one more");
        assert!(
            reserve(&capacity, 0, 2).await.is_none(),
            "both are on their way, though no count sees them"
        );
        drop((first, second));
        assert!(reserve(&capacity, 2, 2).await.is_none(), "both wait");
        assert!(reserve(&capacity, 1, 2).await.is_some(), "one has left");
    }

    #[tokio::test]
    async fn the_last_places_are_known_as_such() {
        let is_among_the_last = async |queued| {
            let capacity = QueueCapacity::default();
            let reserved = reserve(&capacity, queued, 1_000).await.expect("room");
            reserved.is_among_the_last()
        };
        assert!(!is_among_the_last(1_000 - LAST_PLACES - 1).await);
        assert!(is_among_the_last(1_000 - LAST_PLACES).await);
        assert!(is_among_the_last(999).await);
    }

    #[tokio::test]
    async fn a_count_serves_for_a_moment_only() {
        let capacity = QueueCapacity::default();
        drop(reserve(&capacity, 0, 1_000).await.expect("room"));
        assert!(capacity.try_reserve(1_000).is_some());
        let old = Instant::now().checked_sub(COUNT_SERVES);
        if let Some(count) = &mut capacity.state.lock().last {
            count.at = old.expect("an earlier instant");
        }
        assert!(capacity.try_reserve(1_000).is_none());
    }
}
