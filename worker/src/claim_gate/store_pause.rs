//! For how long a store that answers, and fails what it is asked, is left alone.

use std::time::{Duration, Instant};

/// How long nothing is claimed after a store that answers has failed an attempt; twice as long after
/// each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct StorePause {
    failures: u32,
    until: Option<Instant>,
}

impl StorePause {
    /// Begins a longer pause; `asked` is the one that the store itself asks for.
    pub(super) fn failed(&mut self, now: Instant, asked: Duration) {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause.max(asked).min(LONGEST_PAUSE));
    }

    /// Returns what is left of the pause, if anything is.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_the_store_grow_and_are_bounded() {
        let (mut pause, now) = (StorePause::default(), Instant::now());
        assert_eq!(pause.left(now), None);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            pause.failed(now, Duration::ZERO);
            assert_eq!(pause.left(now), Some(Duration::from_secs(seconds)));
            assert_eq!(pause.left(now + LONGEST_PAUSE), None);
        }
        for (asked, left) in [(20, 20), (86_400, 30)] {
            let mut pause = StorePause::default();
            pause.failed(now, Duration::from_secs(asked));
            assert_eq!(pause.left(now), Some(Duration::from_secs(left)));
        }
    }
}
