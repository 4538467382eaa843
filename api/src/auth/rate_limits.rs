//! How often each key may call: `limits.requests_per_second` sustained, `limits.burst` at once (GCRA).
//!
//! Counted in this process alone: with n processes a key may call up to n times as often. A key that has
//! its whole burst again is as good as one that never called, and forgotten.

use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use waybill_config::LimitSettings;
use waybill_report::caller::KeyId;

/// Between two looks for keys to forget.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct RateLimits<C: Clock = DefaultClock> {
    limiter: RateLimiter<KeyId, HashMapStateStore<KeyId>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    forgot: Mutex<Instant>,
}

impl<C: Clock + Clone> RateLimits<C> {
    pub(super) fn new(limits: &LimitSettings, clock: C) -> Self {
        let quota = Quota::per_second(limits.requests_per_second).allow_burst(limits.burst);
        Self {
            limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()),
            clock,
            forgot: Mutex::new(Instant::now()),
        }
    }

    /// Counts a request of this key.
    ///
    /// # Errors
    /// It may not call now, but after so long. The request does not count then.
    pub(super) fn count(&self, key: &KeyId) -> Result<(), Duration> {
        self.forget_now_and_then();
        self.limiter
            .check_key(key)
            .map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    fn forget_now_and_then(&self) {
        // Whoever finds it locked knows that somebody else is at it.
        let Some(mut forgot) = self.forgot.try_lock() else {
            return;
        };
        if forgot.elapsed() >= FORGET_INTERVAL {
            *forgot = Instant::now();
            self.forget();
        }
    }

    fn forget(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;

    /// Two requests a second, three at once.
    fn rates(clock: &FakeRelativeClock) -> RateLimits<FakeRelativeClock> {
        let number = |number| NonZeroU32::new(number).expect("it is not 0");
        let limits = LimitSettings {
            requests_per_second: number(2),
            burst: number(3),
            max_connections: 1,
            max_waiting: 0,
            max_columns: 1,
            read_timeout_seconds: 1,
            idle_timeout_seconds: 1,
        };
        RateLimits::new(&limits, clock.clone())
    }

    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let (key, other) = (KeyId::generate(), KeyId::generate());
        let three = |key| [0; 3].map(|_| rates.count(key));
        assert_eq!(three(&key), [Ok(()); 3]);
        assert_eq!(three(&key), [Err(HALF); 3], "what is refused costs nothing");
        assert_eq!(three(&other), [Ok(()); 3], "each key for itself");

        clock.advance(HALF / 2);
        assert_eq!(rates.count(&key), Err(HALF / 2));
        clock.advance(HALF / 2);
        assert_eq!(three(&key), [Ok(()), Err(HALF), Err(HALF)]);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(three(&key), [Ok(()); 3]);
        assert_eq!(
            rates.count(&key),
            Err(HALF),
            "rest wins no more than a burst"
        );
    }

    #[test]
    fn a_key_that_rested_is_forgotten() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        for _ in 0..1_000 {
            assert_eq!(rates.count(&KeyId::generate()), Ok(()));
        }
        let busy = KeyId::generate();
        clock.advance(Duration::from_secs(10));
        assert_eq!(rates.count(&busy), Ok(()));
        assert_eq!(rates.limiter.len(), 1_001);
        rates.forget();
        assert_eq!(rates.limiter.len(), 1);
    }
}
