//! How many seconds a client is told to wait, once it is known how long its wait is.
//!
//! Every number that a client gets in `Retry-After` is made here, so that header and body agree and no
//! crowd of clients is sent back to the same second. How long a wait is, is for others to know.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use waybill_shared::export::{Export, ExportStatus};

/// The longest wait that a client is told, jitter aside.
pub(crate) const MOST: Duration = Duration::from_secs(300);
/// The shortest.
const LEAST: Duration = Duration::from_secs(1);
/// Jitter reaches this far at least …
const JITTER_LEAST: f64 = 2.0;
/// … and otherwise this part of the wait.
const JITTER_PART: f64 = 0.1;
/// When to look whether a database or a store is back: nothing is measured that could say.
const DEPENDENCY: Duration = Duration::from_secs(5);
/// The slowest polling of an unfinished export, in seconds.
const SLOWEST_POLL: f64 = 10.0;

/// Whole seconds for a wait: clamped to 1 … 300, then spread over up to max(2 s, 10 %) more.
pub(crate) fn spread(wait: Duration) -> u64 {
    spread_by(wait, rand::rng().random_range(0.0..=1.0))
}

/// For a dependency that is down.
pub(crate) fn dependency() -> u64 {
    spread(DEPENDENCY)
}

/// `jitter` from 0 to 1 says how much of the spread is used.
fn spread_by(wait: Duration, jitter: f64) -> u64 {
    let seconds = wait.clamp(LEAST, MOST).as_secs_f64().ceil();
    let jitter = jitter * JITTER_LEAST.max(seconds * JITTER_PART);
    whole(seconds + jitter.round())
}

/// When to look at an unfinished export again; `None` when it will not change any more.
///
/// A quarter of its age, so that short exports are seen to end at once and long ones are not asked
/// about all the time; less when its progress says that it ends sooner. Always 1 to 10 s.
pub(crate) fn poll(export: &Export, now: DateTime<Utc>) -> Option<u64> {
    if !export.status.is_unfinished() {
        return None;
    }
    let seconds_since = |then: DateTime<Utc>| {
        let passed = (now - then).to_std().unwrap_or_default();
        passed.as_secs_f64()
    };
    let by_age = seconds_since(export.created_at) / 4.0;
    let by_progress = match (export.status, export.started_at, done(export)) {
        (ExportStatus::Running, Some(started), Some(done)) if done > 0.0 => {
            seconds_since(started) * (1.0 - done) / done
        }
        _ => f64::INFINITY,
    };
    Some(whole(
        by_age.min(by_progress).ceil().clamp(1.0, SLOWEST_POLL),
    ))
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
}
