//! What a server's settings mean for readings that take long.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// Delays and timeouts are in milliseconds; a delay of -1 has no end, a timeout of 0 is none, NULL is one
/// that this version does not have.
pub(super) const SETTINGS: &str = "\
SELECT pg_is_in_recovery(),
       current_setting('hot_standby_feedback')::bool,
       (SELECT setting::int8 FROM pg_settings WHERE name = 'max_standby_streaming_delay'),
       (SELECT setting::int8 FROM pg_settings WHERE name = 'transaction_timeout')";

/// A sentence for each setting that stands in the way of a reading of so long.
pub(super) fn advice(row: &PgRow, longest: Duration) -> Result<Vec<String>, sqlx::Error> {
    let is_replica: bool = row.try_get(0)?;
    let feedback: bool = row.try_get(1)?;
    let delay: Option<i64> = row.try_get(2)?;
    let transaction: Option<i64> = row.try_get(3)?;
    let mut advice = Vec::new();
    if is_replica && let Some(delay) = shorter(delay, longest) {
        advice.push(of_replica(delay, feedback, longest));
    }
    if let Some(timeout) = shorter(transaction.filter(|timeout| *timeout > 0), longest) {
        advice.push(format!(
            "it ends a transaction after {} (transaction_timeout), and an export may read for {} (exports.timeout_seconds): a longer one fails as source_limit. Raise it for this role, or lower exports.timeout_seconds",
            seconds(timeout),
            seconds(longest),
        ));
    }
    Ok(advice)
}

fn of_replica(delay: Duration, feedback: bool, longest: Duration) -> String {
    let (delay, longest) = (seconds(delay), seconds(longest));
    if feedback {
        format!(
            "it is a replica that keeps the rows that are read (hot_standby_feedback), but an exclusive lock of its primary, as of DDL or of a VACUUM that shortens a table, ends a reading after {delay} (max_standby_streaming_delay), and an export may read for {longest} (exports.timeout_seconds): it is tried again and in the end fails as source_conflict. Raise the delay to {longest} to keep readings whole"
        )
    } else {
        format!(
            "it is a replica that ends a reading {delay} after its primary removed rows of it (max_standby_streaming_delay; hot_standby_feedback is off), and an export may read for {longest} (exports.timeout_seconds): it is tried again and in the end fails as source_conflict. Turn on hot_standby_feedback there, or raise the delay to {longest}"
        )
    }
}

/// The setting, if it has an end before that of the longest reading.
fn shorter(millis: Option<i64>, longest: Duration) -> Option<Duration> {
    let setting = Duration::from_millis(u64::try_from(millis?).ok()?);
    (setting < longest).then_some(setting)
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
