//! How far the store's clock is from this machine's, read off the `Date` of its answers.
//!
//! A signature is good for a while by the store's clock, so a machine whose own clock is wrong would make
//! links that nobody can use. The client corrects its requests by itself; links are signed with what
//! is measured here. The bounds of a measurement are those that nobody can doubt: the store wrote the date
//! between the sending of the request and the arrival of the answer, and rounded it down to a second.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

/// A difference from here on is worth a warning.
const WARNING_THRESHOLD: TimeDelta = TimeDelta::seconds(30);
/// A difference beyond this is a process that is not ready: others than the store are wrong about it, too.
const MAX_DIFFERENCE: TimeDelta = TimeDelta::minutes(5);
/// An answer that took longer says too little about its date.
const MAX_REQUEST: Duration = Duration::from_secs(15);
/// A date is a whole second, and some servers write one only now and then.
const DATE_PRECISION: TimeDelta = TimeDelta::seconds(2);
/// How old a measurement may be, as clocks drift.
const MAX_AGE: Duration = Duration::from_secs(600);
/// More than two clocks of one machine drift apart meanwhile: one of them was set.
const MAX_DRIFT: TimeDelta = TimeDelta::seconds(1);

/// See the module. A clone measures the same.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    measured: Option<Measurement>,
    warned: bool,
}

/// This machine's clocks at one instant.
#[derive(Clone, Copy, Debug)]
struct Moment {
    instant: Instant,
    wall: DateTime<Utc>,
}

impl Moment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock that is compared with the store's"
    )]
    fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: Utc::now(),
        }
    }

    /// Returns whether the machine's clock was not set between the two, and the machine did not sleep.
    fn is_steady_since(self, earlier: Self) -> bool {
        let ran = TimeDelta::from_std(self.instant.duration_since(earlier.instant));
        let told = self.wall - earlier.wall;
        ran.is_ok_and(|ran| (told - ran).abs() <= MAX_DRIFT)
    }
}

/// By how much the store's clock is ahead of this machine's: at least and at most.
#[derive(Clone, Copy, Debug)]
struct Measurement {
    at: Moment,
    least: TimeDelta,
    most: TimeDelta,
}

impl Measurement {
    /// Measures by one answer; `None` if it says too little.
    fn of(sent: Moment, received: Moment, date: DateTime<Utc>) -> Option<Self> {
        let took = received.instant.duration_since(sent.instant);
        (took <= MAX_REQUEST && received.is_steady_since(sent)).then(|| Self {
            at: received,
            least: date - received.wall,
            most: date + DATE_PRECISION - sent.wall,
        })
    }

    /// Returns whether it still says something about a later moment.
    fn holds_at(&self, now: Moment) -> bool {
        now.instant.duration_since(self.at.instant) <= MAX_AGE && now.is_steady_since(self.at)
    }

    /// An old measurement is better than none, but not one of a clock that was set since.
    fn is_usable_at(&self, now: Moment) -> bool {
        now.is_steady_since(self.at)
    }

    /// Returns what both know, if both can be true.
    fn and(self, later: Self) -> Option<Self> {
        let (least, most) = (self.least.max(later.least), self.most.min(later.most));
        (self.holds_at(later.at) && least <= most).then_some(Self {
            at: later.at,
            least,
            most,
        })
    }

    /// Returns what is known for sure: zero where the clocks may well agree.
    fn difference(&self) -> TimeDelta {
        TimeDelta::zero().clamp(self.least, self.most)
    }

    /// Returns what to sign with: where the clocks differ, rather a second too early than in the store's future.
    fn correction(&self) -> TimeDelta {
        if self.difference().is_zero() {
            TimeDelta::zero()
        } else {
            self.least
        }
    }
}

/// A clock of this machine that is too far from the store's. Displays as it stands in `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDifference {
    /// By how many seconds the store's clock is ahead; negative when it is behind.
    seconds: i64,
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.seconds > 0 {
            "behind"
        } else {
            "ahead of"
        };
        let seconds = self.seconds.unsigned_abs();
        write!(f, "it is {seconds} s {way} the store's")
    }
}

impl StoreClock {
    /// Returns what the store's clock shows now, as far as that is known.
    pub(super) fn now(&self) -> DateTime<Utc> {
        let now = Moment::now();
        let measured = self.state.lock().measured;
        let correction = measured.filter(|measured| measured.is_usable_at(now));
        now.wall + correction.map_or(TimeDelta::zero(), |measured| measured.correction())
    }

    /// Returns whether a measurement has to be made again before it is used. Before the first there is nothing to
    /// make again.
    pub(super) fn is_outdated(&self) -> bool {
        let measured = self.state.lock().measured;
        measured.is_some_and(|measured| !measured.holds_at(Moment::now()))
    }

    /// Returns by how much the store's clock is ahead of this machine's, by what was measured last.
    pub(super) fn difference(&self) -> TimeDelta {
        let measured = self.state.lock().measured;
        measured.map_or(TimeDelta::zero(), |measured| measured.difference())
    }

    /// Returns the difference, when it is more than a process may have that is ready.
    pub(super) fn too_far(&self) -> Option<ClockDifference> {
        let difference = self.difference();
        (difference.abs() > MAX_DIFFERENCE).then(|| ClockDifference {
            seconds: difference.num_seconds(),
        })
    }

    fn learn(&self, measured: Measurement) {
        let mut state = self.state.lock();
        let known = state.measured.and_then(|known| known.and(measured));
        let measured = known.unwrap_or(measured);
        state.measured = Some(measured);
        let difference = measured.difference();
        let wrong = difference.abs() > WARNING_THRESHOLD;
        if wrong != state.warned {
            state.warned = wrong;
            if wrong {
                tracing::warn!(
                    seconds = difference.num_seconds(),
                    "the store's clock is ahead of this machine's by so much (behind, if negative): links are signed by \
                     the store's; set this machine's clock, for example by NTP"
                );
            } else {
                tracing::info!("this machine's clock and the store's agree again");
            }
        }
    }
}

/// When a request was sent.
#[derive(Clone, Copy, Debug)]
struct Sent(Moment);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(Moment::now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // A cache in between keeps dates, and says so.
        let date = headers.get("date").filter(|_| headers.get("age").is_none());
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        if let (Some(date), Some(Sent(sent))) = (date, config.load::<Sent>())
            && let Some(measured) = Measurement::of(*sent, Moment::now(), date.into())
        {
            self.learn(measured);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the request of a measurement took.
    const TOOK: TimeDelta = TimeDelta::milliseconds(500);

    /// A measurement of a store whose clock is ahead by so many seconds, in the middle of the request.
    fn measured(ahead: i64) -> Measurement {
        let received = Moment::now();
        let sent = Moment {
            instant: received.instant,
            wall: received.wall - TOOK,
        };
        let date = received.wall + TimeDelta::seconds(ahead) - TOOK / 2;
        let date = DateTime::from_timestamp(date.timestamp(), 0).expect("a whole second");
        Measurement::of(sent, received, date).expect("a quick request")
    }

    #[test]
    fn clocks_that_may_agree_need_no_correction() {
        for ahead in [-1, 0] {
            assert_eq!(measured(ahead).correction(), TimeDelta::zero(), "{ahead}");
        }
    }

    #[test]
    fn what_differs_is_corrected_and_never_into_the_stores_future() {
        for ahead in [-10_800, -40, 40, 10_800] {
            let measured = measured(ahead);
            let off = measured.correction() - TimeDelta::seconds(ahead);
            assert!(
                off <= TimeDelta::zero() && off >= TimeDelta::seconds(-2),
                "{ahead}: {off}"
            );
            let missed = measured.difference() - TimeDelta::seconds(ahead);
            let most = DATE_PRECISION + TOOK;
            assert!(missed.abs() <= most, "{ahead}: {missed}");
        }
    }

    #[test]
    fn measurements_narrow_each_other_until_a_clock_is_set() {
        let clock = StoreClock::default();
        let (first, second) = (measured(100), measured(100));
        clock.learn(first);
        clock.learn(second);
        let known = clock.state.lock().measured.expect("measured");
        assert_eq!(known.least, first.least.max(second.least));
        assert_eq!(known.most, first.most.min(second.most));
        assert!(clock.too_far().is_none());
        clock.learn(measured(-400));
        let text = clock.too_far().expect("more than 5 minutes").to_string();
        assert!(text.ends_with(" s ahead of the store's"), "{text}");
        clock.learn(measured(0));
        assert_eq!(clock.difference(), TimeDelta::zero());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    fn a_clock_that_was_set_makes_a_measurement_worthless() {
        let clock = StoreClock::default();
        assert!(!clock.is_outdated(), "nothing was measured yet");
        let mut before = measured(10_800);
        before.at.wall -= TimeDelta::seconds(10_800);
        clock.learn(before);
        assert!(clock.is_outdated());
        let off = clock.now() - Utc::now();
        assert!(off.abs() < TimeDelta::seconds(5), "{off}");
        clock.learn(measured(0));
        assert!(!clock.is_outdated());
    }

    #[test]
    fn a_slow_answer_says_nothing() {
        let received = Moment::now();
        let Some(instant) = received.instant.checked_sub(MAX_REQUEST * 2) else {
            return;
        };
        let sent = Moment {
            instant,
            wall: received.wall - MAX_REQUEST * 2,
        };
        assert!(Measurement::of(sent, received, received.wall).is_none());
    }
}
