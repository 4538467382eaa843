//! `[worker]`: the worker process.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("worker.listen", Rule::Address),
    setting("worker.concurrency", Rule::Integer(1, 64)),
    setting("worker.small_slots", Rule::Integer(0, 63)),
    setting("worker.lease_seconds", Rule::Integer(1, 3_600)),
];

/// `[worker]`: the worker process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Address and port of its health and metrics; `None` = it has none.
    pub listen: Option<SocketAddr>,
    /// Exports at the same time, 1 to 64.
    pub concurrency: usize,
    /// How many of these never run a large export, 0 to 63; at least one slot runs any.
    pub small_slots: usize,
    /// Seconds, 1 to 3,600; see [`WorkerSettings::lease`].
    pub lease_seconds: u64,
}

impl WorkerSettings {
    /// Returns how long an export belongs to a worker that gives no sign of life.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}
