//! What is true of any process: which program it is, since when it runs, how much memory it holds.

use std::fs;
use std::sync::atomic::AtomicU64;
use std::time::{Instant, SystemTime};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::sampled::Sampled;
use crate::lines::lost;

pub(super) struct Process {
    pub(super) version: &'static str,
    pub(super) began: Instant,
}

impl Process {
    /// Registers what is true of this program, from now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "when this process started, by this machine's clock"
    )]
    pub(super) fn registered(version: &'static str, registry: &mut Registry) -> Self {
        registry.register(
            "build",
            "Which program this process is; always 1",
            Info::new([("version", version)]),
        );
        let started = Gauge::<f64, AtomicU64>::default();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        started.set(since_epoch.unwrap_or_default().as_secs_f64());
        registry.register_with_unit(
            "process_start_time",
            "When this process began, in seconds since 1970",
            Unit::Seconds,
            started,
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Memory that this process holds now; only where Linux tells it",
            Unit::Bytes,
            Sampled::new(resident_bytes),
        );
        registry.register(
            "log_lost_lines",
            "Lines of the log and of other output that could not be written",
            lost(),
        );
        Self {
            version,
            began: Instant::now(),
        }
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1_024)
}
