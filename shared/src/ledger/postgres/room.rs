//! Whether the queue has room for one more export, without counting what waits for each of them.
//!
//! Counting costs more the more waits, and a lock to count exactly would let one export in at a
//! time. So a count serves for a moment: what this process adds meanwhile is added to it, what
//! others add is not, and by that many the bound may be overshot. A refusal is never taken from an
//! old count.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a count serves.
const COUNT_SERVES: Duration = Duration::from_millis(100);

/// What waited when it was counted last.
#[derive(Debug, Default)]
pub(super) struct Room {
    last: Mutex<Option<Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    at: Instant,
    queued: u64,
}

impl Room {
    /// Takes a place if the last count still serves and has one; otherwise it is time to count.
    pub(super) fn take(&self, max_queued: u64) -> bool {
        match &mut *self.lock() {
            Some(count) if count.at.elapsed() < COUNT_SERVES && count.queued < max_queued => {
                count.queued += 1;
                true
            }
            _ => false,
        }
    }

    /// Notes a new count and takes a place of it, if there is one.
    pub(super) fn take_of(&self, queued: u64, max_queued: u64) -> bool {
        let free = queued < max_queued;
        *self.lock() = Some(Count {
            at: Instant::now(),
            queued: queued + u64::from(free),
        });
        free
    }

    fn lock(&self) -> MutexGuard<'_, Option<Count>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_until_none_is_left_and_then_counted_again() {
        let room = Room::default();
        assert!(!room.take(2), "nothing was counted yet");
        assert!(room.take_of(0, 2));
        assert!(room.take(2));
        assert!(!room.take(2), "both are taken");
        assert!(!room.take_of(2, 2));
        assert!(room.take_of(1, 2), "one has left");
    }

    #[test]
    fn a_count_serves_for_a_moment_only() {
        let room = Room::default();
        assert!(room.take_of(0, 1_000));
        let old = Instant::now()
            .checked_sub(COUNT_SERVES)
            .expect("an earlier instant");
        if let Some(count) = &mut *room.lock() {
            count.at = old;
        }
        assert!(!room.take(1_000));
    }
}
