//! Virtual scheduling, as in the generic cell rate algorithm (GCRA): tells each caller that is turned away when a
//! place will be free for it.
//!
//! Places become free one after the other, `rate` of them per second, the first of them after
//! `first_free`. If everyone who is turned away were told `first_free`, all would come back for one
//! place. So each is given the next place that nobody was given yet:
//!
//! ```text
//! reserved  = max(now + first_free, next_free)
//! next_free = min(reserved + 1 / rate, now + 300 s)
//! ```
//!
//! The schedule reaches 300 s ahead, the longest wait that a client is told: a crowd that never returns
//! is forgotten after that. It knows no clock and no load; both are told to it. Each process keeps its own,
//! so with n processes a client is told a time that is too early by up to that factor; it is then
//! turned away with a new one, never lost.

use std::time::{Duration, Instant};

use crate::retry_after::MAX_WAIT;

/// The next place that nobody was told.
#[derive(Debug, Default)]
pub(crate) struct VirtualSchedule {
    next_free: Option<Instant>,
}

/// How places become free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drain {
    /// From now to the first free place.
    pub(crate) first_free: Duration,
    /// Between one free place and the next.
    pub(crate) interval: Duration,
}

impl Drain {
    /// Returns that of a queue: `excess` entries have to go before one more fits, and `per_second` go.
    pub(crate) fn of_queue(excess: u64, per_second: f64) -> Self {
        let seconds = |entries: f64| {
            Duration::try_from_secs_f64(entries / per_second)
                .map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT))
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "what exceeds 2^53 entries exceeds the longest wait too"
        )]
        let excess = excess.max(1) as f64;
        Self {
            first_free: seconds(excess),
            interval: seconds(1.0),
        }
    }

    /// Returns that of `places` that are each held for `hold` on average: one becomes free every `hold / places`.
    pub(crate) fn of_places(places: usize, hold: Duration) -> Self {
        let places = u32::try_from(places).unwrap_or(u32::MAX).max(1);
        let interval = (hold / places).min(MAX_WAIT);
        Self {
            first_free: interval,
            interval,
        }
    }
}

impl VirtualSchedule {
    /// Reserves the next place; returns how long it is until then.
    pub(crate) fn reserve(&mut self, now: Instant, drain: Drain) -> Duration {
        let earliest = now + drain.first_free;
        let reserved = self.next_free.map_or(earliest, |next| next.max(earliest));
        self.next_free = Some((reserved + drain.interval).min(now + MAX_WAIT));
        reserved - now
    }

    /// Returns whether somebody may still come for a place that was given away.
    pub(crate) fn has_reservations(&self, now: Instant) -> bool {
        self.next_free.is_some_and(|next| next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_caller_gets_the_next_place() {
        let (mut schedule, now) = (VirtualSchedule::default(), Instant::now());
        let drain = Drain::of_queue(10, 2.0);
        let waits: Vec<Duration> = (0..4).map(|_| schedule.reserve(now, drain)).collect();
        let half = Duration::from_millis(500);
        assert_eq!(waits, [secs(5), secs(5) + half, secs(6), secs(6) + half]);
    }

    #[test]
    fn reservations_stand_while_time_passes() {
        let (mut schedule, now) = (VirtualSchedule::default(), Instant::now());
        let drain = Drain::of_queue(1, 1.0);
        assert_eq!(schedule.reserve(now, drain), secs(1));
        assert_eq!(schedule.reserve(now, drain), secs(2));
        // The third place is three seconds after the beginning, whenever it is asked for …
        assert_eq!(schedule.reserve(now + secs(1), drain), secs(2));
        // … and an old schedule does not hold up anybody.
        assert_eq!(schedule.reserve(now + secs(100), drain), secs(1));
    }

    #[test]
    fn a_queue_that_is_further_over_its_bound_frees_later() {
        assert_eq!(Drain::of_queue(30, 3.0).first_free, secs(10));
        assert_eq!(Drain::of_queue(0, 0.5).first_free, secs(2));
    }

    #[test]
    fn slots_free_as_often_as_they_are_held_short() {
        let drain = Drain::of_places(8, secs(2));
        assert_eq!(drain.interval, Duration::from_millis(250));
        assert_eq!(drain.first_free, drain.interval);
    }

    #[test]
    fn the_schedule_ends_after_the_longest_wait() {
        let (mut schedule, now) = (VirtualSchedule::default(), Instant::now());
        let drain = Drain::of_queue(1, 1.0);
        let last = (0..10_000).map(|_| schedule.reserve(now, drain)).last();
        assert_eq!(last, Some(MAX_WAIT));
        assert_eq!(schedule.reserve(now + MAX_WAIT, drain), secs(1));
    }

    #[test]
    fn no_rate_is_too_small_for_the_arithmetic() {
        for rate in [0.0, f64::MIN_POSITIVE, f64::NAN] {
            assert_eq!(Drain::of_queue(u64::MAX, rate).first_free, MAX_WAIT);
        }
    }
}
