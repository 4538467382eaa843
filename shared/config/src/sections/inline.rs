//! `[inline]`: reports that are answered at once.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("inline.max_rows", Rule::Integer(1, 1_000_000)),
    setting("inline.max_bytes", Rule::Integer(1, 1 << 30)),
    setting("inline.timeout_seconds", Rule::Integer(1, 300)),
    setting("inline.slots", Rule::Integer(1, 1_024)),
    setting("inline.queue_wait_ms", Rule::Integer(0, 60_000)),
];

/// `[inline]`: reports that are answered at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineSettings {
    /// Rows of an answer, 1 to 1,000,000.
    pub max_rows: u64,
    /// Bytes of an answer, 1 to 1 GiB.
    pub max_bytes: usize,
    /// Seconds, 1 to 300; see [`InlineSettings::timeout`].
    pub timeout_seconds: u64,
    /// Answers at the same time in one process, 1 to 1,024.
    pub slots: usize,
    /// Milliseconds, 0 to 60,000; see [`InlineSettings::queue_wait`].
    pub queue_wait_ms: u64,
}

impl InlineSettings {
    /// Returns how long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// Returns how long a request waits for a slot.
    #[must_use]
    pub fn queue_wait(&self) -> Duration {
        Duration::from_millis(self.queue_wait_ms)
    }
}
