//! `[exports]`: reports that become jobs.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("exports.max_rows", Rule::Integer(1, 1_000_000_000_000)),
    setting("exports.large_rows", Rule::Integer(1, 1_000_000_000_000)),
    setting("exports.max_active_per_org", Rule::Integer(1, 1_000_000)),
    setting("exports.max_queued", Rule::Integer(1, 10_000_000)),
    setting("exports.max_attempts", Rule::Integer(1, 100)),
    setting("exports.give_up_after_hours", Rule::Integer(1, 8_760)),
    setting("exports.reuse_seconds", Rule::Integer(0, 2_592_000)),
    setting("exports.retention_days", Rule::Integer(1, 3_650)),
    setting("exports.record_retention_days", Rule::Integer(1, 3_650)),
    setting("exports.link_seconds", Rule::Integer(1, 604_800)),
    setting("exports.timeout_seconds", Rule::Integer(1, 604_800)),
    setting("exports.freshness_timeout_ms", Rule::Integer(1, 60_000)),
    setting("exports.max_cell_bytes", Rule::Integer(4_096, 1 << 28)),
];

/// `[exports]`: reports that become jobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// Rows of an export, 1 to 10^12.
    pub max_rows: u64,
    /// Expected rows above which an export is a large one, 1 to 10^12.
    pub large_rows: u64,
    /// Unfinished exports of an organisation, 1 to 1,000,000.
    pub max_active_per_org: u32,
    /// Exports that wait for a worker, 1 to 10,000,000.
    pub max_queued: u32,
    /// Failures after which an export is given up, 1 to 100.
    pub max_attempts: u32,
    /// Hours, 1 to 8,760; see [`ExportSettings::give_up_after`].
    pub give_up_after_hours: u64,
    /// Seconds, 0 to 2,592,000 (30 days); see [`ExportSettings::reuse`].
    pub reuse_seconds: u64,
    /// Days, 1 to 3,650; see [`ExportSettings::retention`].
    pub retention_days: u64,
    /// Days, 1 to 3,650; see [`ExportSettings::record_retention`].
    pub record_retention_days: u64,
    /// Seconds, 1 to 604,800; see [`ExportSettings::link`].
    pub link_seconds: u64,
    /// Seconds, 1 to 604,800; see [`ExportSettings::timeout`].
    pub timeout_seconds: u64,
    /// Milliseconds, 1 to 60,000; see [`ExportSettings::freshness_timeout`].
    pub freshness_timeout_ms: u64,
    /// Bytes of one cell as its source sends it, 4 KiB to 256 MiB.
    pub max_cell_bytes: usize,
}

impl ExportSettings {
    /// Returns how long a completed export answers an identical request; `None` = never.
    #[must_use]
    pub fn reuse(&self) -> Option<Duration> {
        (self.reuse_seconds > 0).then(|| Duration::from_secs(self.reuse_seconds))
    }

    /// Returns how long outages of what an export needs may keep it from running, altogether.
    #[must_use]
    pub fn give_up_after(&self) -> Duration {
        Duration::from_secs(self.give_up_after_hours * 60 * 60)
    }

    /// Returns how long a file is kept.
    #[must_use]
    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_days * 24 * 60 * 60)
    }

    /// Returns how long the record of an export is kept after its file is gone, or after it failed or was
    /// cancelled.
    #[must_use]
    pub fn record_retention(&self) -> Duration {
        Duration::from_secs(self.record_retention_days * 24 * 60 * 60)
    }

    /// Returns how long a download link works.
    #[must_use]
    pub fn link(&self) -> Duration {
        Duration::from_secs(self.link_seconds)
    }

    /// Returns how long reading the data may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// Returns how long finding the newest source row may take.
    #[must_use]
    pub fn freshness_timeout(&self) -> Duration {
        Duration::from_millis(self.freshness_timeout_ms)
    }
}
