//! Where the figures come from.

use std::fmt;
use std::fs;
use std::thread;

use serde::Serialize;
use waybill_test_services::postgres::Cluster;

use crate::ground::Ground;

/// The machine and the versions that were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: Option<u64>,
    kernel: String,
    postgresql: String,
    waybill: Option<String>,
}

/// Looks at the machine; what it does not tell is left out.
pub(crate) fn describe(cluster: &Cluster, ground: &Ground<'_>) -> Machine {
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
        waybill: ground.waybill_version.clone(),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores of {}", self.cores, self.processor)?;
        if let Some(memory) = self.memory_gib {
            write!(f, ", {memory} GiB")?;
        }
        write!(f, ", Linux {}, PostgreSQL {}", self.kernel, self.postgresql)?;
        match &self.waybill {
            Some(version) => write!(f, ", {version}"),
            None => Ok(()),
        }
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
