//! How many seconds a client is told to wait, once it is known how long its wait is.
//!
//! Every number that a client gets in `Retry-After` is made here, so that header and body agree and no
//! crowd of clients is sent back to the same second. How long a wait is, is for others to know.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use waybill_ledger::export::{Export, ExportStatus};

/// The longest wait that a client is told, jitter aside.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(300);
/// The shortest.
const MIN_WAIT: Duration = Duration::from_secs(1);
/// Jitter reaches this far at least …
const MIN_JITTER_SECONDS: f64 = 2.0;
/// … and otherwise this part of the wait.
const JITTER_RATIO: f64 = 0.1;
/// When to look whether a database or a store is back: nothing is measured that could say.
const DEPENDENCY_WAIT: Duration = Duration::from_secs(5);
/// The slowest polling of an unfinished export, in seconds.
const MAX_POLL_SECONDS: f64 = 10.0;

/// Returns whole seconds for a wait: clamped to 1 … 300, then spread over up to max(2 s, 10 %) more.
pub(crate) fn spread(wait: Duration) -> u64 {
    spread_by(wait, rand::rng().random_range(0.0..=1.0))
}

/// Returns the seconds to wait for a dependency that is down.
pub(crate) fn dependency() -> u64 {
    spread(DEPENDENCY_WAIT)
}

/// Spreads a wait; `jitter` from 0 to 1 says how much of the spread is used.
fn spread_by(wait: Duration, jitter: f64) -> u64 {
    let seconds = wait.clamp(MIN_WAIT, MAX_WAIT).as_secs_f64().ceil();
    let jitter = jitter * MIN_JITTER_SECONDS.max(seconds * JITTER_RATIO);
    whole(seconds + jitter.round())
}

/// Returns the seconds after which to look at an unfinished export again; `None` when it will not change any more.
///
/// A quarter of its age, so that short exports are seen to end at once and long ones are not asked
/// about all the time; less when its progress says that it ends sooner. Always 1 to 10 s.
pub(crate) fn poll(export: &Export, now: DateTime<Utc>) -> Option<u64> {
    if !export.status.is_unfinished() {
        return None;
    }
    let since = |then: DateTime<Utc>| (now - then).to_std().unwrap_or_default();
    let running_for = export.started_at.map(since).unwrap_or_default();
    let left = done(export)
        .filter(|done| export.status == ExportStatus::Running && *done > 0.0)
        .map(|done| running_for.as_secs_f64() * (1.0 - done) / done);
    Some(poll_after(since(export.created_at), left))
}

/// Returns the seconds until a look at an export of this age is worth it, with `left` seconds to go if that is known.
fn poll_after(age: Duration, left: Option<f64>) -> u64 {
    let by_age = age.as_secs_f64() / 4.0;
    let seconds = left.map_or(by_age, |left| by_age.min(left));
    whole(seconds.ceil().clamp(1.0, MAX_POLL_SECONDS))
}

/// How much of an export is read, from 0 to 1, where the number of its rows is estimated.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of two row counts needs no more digits than a float has"
)]
pub(crate) fn done(export: &Export) -> Option<f64> {
    let estimated = export.progress.estimated_rows?.max(1);
    Some((export.progress.rows as f64 / estimated as f64).min(1.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "waits are between 0 and 330 seconds here"
)]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_clamped_and_then_spread() {
        let spread = |seconds, jitter| spread_by(Duration::from_secs_f64(seconds), jitter);
        assert_eq!((spread(0.0, 0.0), spread(0.0, 1.0)), (1, 3));
        assert_eq!((spread(4.2, 0.0), spread(4.2, 1.0)), (5, 7));
        assert_eq!((spread(100.0, 0.0), spread(100.0, 1.0)), (100, 110));
        assert_eq!((spread(9_999.0, 0.0), spread(9_999.0, 1.0)), (300, 330));
    }

    #[test]
    fn polling_slows_down_with_age_and_speeds_up_towards_the_end() {
        let poll = |age, left| poll_after(Duration::from_secs(age), left);
        assert_eq!((poll(0, None), poll(3, None)), (1, 1));
        assert_eq!((poll(20, None), poll(3_600, None)), (5, 10));
        assert_eq!((poll(3_600, Some(2.5)), poll(3_600, Some(0.0))), (3, 1));
        assert_eq!(poll(20, Some(1_000.0)), 5);
    }
}
