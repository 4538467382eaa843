//! Where the figures come from.

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use waybill_test_services::postgres::Cluster;

use crate::fixture::Fixture;

/// The machine and the versions that were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: Option<u64>,
    kernel: String,
    postgresql: String,
    waybill: Option<String>,
    /// Share of the processors, in percent, that something else used just before the measurements.
    busy_percent: f64,
}

/// How long the processors are watched.
const WATCH: Duration = Duration::from_secs(3);
/// Above this the figures are not to be trusted.
const MOST_BUSY: f64 = 10.0;

/// Looks at the machine; what it does not tell is left out.
pub(crate) fn describe(cluster: &Cluster, fixture: &Fixture<'_>) -> Machine {
    let cpuinfo = read("/proc/cpuinfo");
    let processor = value(&cpuinfo, "model name").unwrap_or("unknown processor");
    let meminfo = read("/proc/meminfo");
    let memory_kib = value(&meminfo, "MemTotal").and_then(|total| {
        let kib = total.strip_suffix("kB")?.trim();
        kib.parse::<u64>().ok()
    });
    Machine {
        cores: thread::available_parallelism().map_or(1, usize::from),
        processor: processor.to_owned(),
        memory_gib: memory_kib.map(|kib| (kib + (1 << 19)) >> 20),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        postgresql: cluster.psql("postgres", "SHOW server_version"),
        waybill: fixture.waybill_version.clone(),
        busy_percent: busy_percent(),
    }
}

/// Watches the processors while nothing of the benchmark runs.
fn busy_percent() -> f64 {
    let (busy_before, all_before) = ticks();
    thread::sleep(WATCH);
    let (busy, all) = ticks();
    100.0 * (busy - busy_before) / (all - all_before).max(1.0)
}

/// Busy and all ticks of all processors since the machine started. Idle ones are those that the
/// kernel calls so and those that wait for a disk.
fn ticks() -> (f64, f64) {
    let stat = read("/proc/stat");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(1).take(8).flat_map(str::parse).collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores of {}", self.cores, self.processor)?;
        if let Some(memory) = self.memory_gib {
            write!(f, ", {memory} GiB")?;
        }
        write!(f, ", Linux {}, PostgreSQL {}", self.kernel, self.postgresql)?;
        if let Some(version) = &self.waybill {
            write!(f, ", {version}")?;
        }
        let busy = self.busy_percent;
        write!(f, "; {busy:.0} % busy with other things before the run")?;
        if busy > MOST_BUSY {
            write!(f, ": TOO BUSY FOR FIGURES TO BE TRUSTED")?;
        }
        Ok(())
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line that begins with this key and a colon.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}
