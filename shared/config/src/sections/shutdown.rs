//! `[shutdown]`: the end of a process.

use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] =
    &[setting("shutdown.grace_seconds", Rule::Integer(0, 3_600))];

/// `[shutdown]`: the end of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    /// Seconds, 0 to 3,600; see [`ShutdownSettings::grace`].
    pub grace_seconds: u64,
}

impl ShutdownSettings {
    /// Returns how long running work has to finish or be handed back.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}
