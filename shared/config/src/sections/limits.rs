//! `[limits]`: what clients may take of a process.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("limits.requests_per_second", Rule::Integer(1, 1_000_000)),
    setting("limits.burst", Rule::Integer(1, 1_000_000)),
    setting("limits.max_connections", Rule::Integer(1, 1_000_000)),
    setting("limits.max_waiting", Rule::Integer(0, 1_000_000)),
    setting("limits.max_columns", Rule::Integer(1, 1_600)),
    setting("limits.read_timeout_seconds", Rule::Integer(1, 3_600)),
    setting("limits.idle_timeout_seconds", Rule::Integer(1, 3_600)),
];

/// `[limits]`: what clients may take of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests of one API key per second, sustained, 1 to 1,000,000.
    pub requests_per_second: NonZeroU32,
    /// Requests of one API key at once, 1 to 1,000,000.
    pub burst: NonZeroU32,
    /// Open connections, 1 to 1,000,000.
    pub max_connections: usize,
    /// Requests that are held until an export changes, 0 to 1,000,000.
    pub max_waiting: usize,
    /// Columns of one query, 1 to 1,600.
    pub max_columns: usize,
    /// Seconds, 1 to 3,600; see [`LimitSettings::read_timeout`].
    pub read_timeout_seconds: u64,
    /// Seconds, 1 to 3,600; see [`LimitSettings::idle_timeout`].
    pub idle_timeout_seconds: u64,
}

impl LimitSettings {
    /// Returns how long a request's headers may take to arrive, and then its body.
    #[must_use]
    pub fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_seconds)
    }

    /// Returns how long a connection may stay open without a request.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }
}
