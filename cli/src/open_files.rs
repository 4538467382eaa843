//! How many files a process may have open, and how many of these connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use waybill_config::Config;

/// Files that a process has open whatever it does: its log, its timers, its listeners, the ledger's
/// connections, and some to spare.
const ALWAYS: u64 = 96;
/// Files of each report that is read at the same time: a SQLite file has three, an upload as many
/// connections.
const PER_REPORT: u64 = 6;

/// Too few open files for the connections that are wanted.
#[must_use = "the operator has to be told"]
pub(crate) struct Shortage {
    open_files: u64,
    wanted: usize,
    connections: usize,
}

/// Allows this process as many open files as it may allow itself, and takes `limits.max_connections` down
/// to what they suffice for. `per_connection` is how many files one client of each kind costs together.
pub(crate) fn made_to_suffice(
    mut config: Config,
    per_connection: u64,
) -> (Config, Option<Shortage>) {
    let Some(open_files) = raised() else {
        return (config, None);
    };
    let reports = config.inline.slots + config.worker.concurrency;
    let reports = u64::try_from(reports).unwrap_or(u64::MAX);
    let own = PER_REPORT.saturating_mul(reports).saturating_add(ALWAYS);
    // Where there are too few for everything, connections still get their part.
    let left = open_files.saturating_sub(own).max(open_files / 4);
    let connections = usize::try_from(left / per_connection).unwrap_or(usize::MAX);
    let connections = connections.max(1);
    let wanted = config.limits.max_connections;
    if wanted <= connections {
        return (config, None);
    }
    config.limits.max_connections = connections;
    let shortage = Shortage {
        open_files,
        wanted,
        connections,
    };
    (config, Some(shortage))
}

impl Shortage {
    /// Tells the operator, once the start is sure to be one.
    pub(crate) fn warn(&self) {
        tracing::warn!(
            open_files = self.open_files,
            connections = self.connections,
            "limits.max_connections is {}, but this process may have only so many files open (ulimit -n): \
             it serves fewer connections at the same time",
            self.wanted
        );
    }
}

/// Raises the soft limit to the hard one. `None` = there is no limit.
fn raised() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, most) {
        Ok(()) => limit.maximum,
        // Where the system has a bound that it does not tell, the limit stays as it is.
        Err(_) => limit.current,
    }
}
