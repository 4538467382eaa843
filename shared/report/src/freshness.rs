//! How old what a report shows is.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How long after `source_updated_at` it is now.
#[must_use]
pub fn freshness_lag(source_updated_at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - source_updated_at).to_std().unwrap_or_default()
}
