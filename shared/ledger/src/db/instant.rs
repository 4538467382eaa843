//! What instants are kept in: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// An instant as a database gave it.
pub(crate) trait StoredInstant: Display + Sized {
    /// The instant.
    ///
    /// # Errors
    /// What was stored, if it is none that can be reckoned with.
    fn utc(self) -> Result<DateTime<Utc>, Self>;
}

impl StoredInstant for DateTime<Utc> {
    fn utc(self) -> Result<DateTime<Utc>, Self> {
        Ok(self)
    }
}

impl StoredInstant for i64 {
    fn utc(self) -> Result<DateTime<Utc>, Self> {
        DateTime::from_timestamp_micros(self).ok_or(self)
    }
}

/// An instant as SQLite keeps it.
pub(crate) fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

/// A duration as SQLite keeps it.
pub(crate) fn whole_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The clock of a database in a file: the process's, which is the machine's.
#[expect(
    clippy::disallowed_methods,
    reason = "one process has the file, so that there is no other clock"
)]
pub(crate) fn file_clock() -> DateTime<Utc> {
    Utc::now()
}
