//! What a worker counts and measures, beside what [`AttemptMetrics`] shares with others.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use waybill_ledger::Lane;
use waybill_ledger::export::{Export, Receipt};
use waybill_ledger::metrics::{AttemptMetrics, Outcome, ProcessMetrics, Running};

/// Seconds: from an empty export to the longest that `exports.timeout_seconds` allows by default.
const EXPORT_SECONDS: [f64; 15] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
];
/// Seconds: opening a source is a matter of milliseconds, unless the query sorts or groups.
const SNAPSHOT_SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InLane {
    lane: &'static str,
}

/// Counts and times of this process's worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    attempts: AttemptMetrics,
    waits: Family<InLane, Histogram>,
    snapshots: Histogram,
    exports: Histogram,
}

impl WorkerMetrics {
    /// Those of a worker with so many slots, once for a process.
    pub(crate) fn registered(metrics: &ProcessMetrics, slots: usize) -> Self {
        let worker = Self {
            attempts: metrics.attempts().clone(),
            waits: Family::new_with_constructor(|| Histogram::new(EXPORT_SECONDS)),
            snapshots: Histogram::new(SNAPSHOT_SECONDS),
            exports: Histogram::new(EXPORT_SECONDS),
        };
        for lane in Lane::ALL {
            drop(worker.waits_in(lane));
        }
        metrics.register(|registry| {
            registry.register(
                "worker_slots",
                "Exports that this process reads and stores at the same time, at most",
                ConstGauge::new(i64::try_from(slots).unwrap_or(i64::MAX)),
            );
            registry.register_with_unit(
                "worker_queue_wait",
                "From the acceptance of an export to its first claim, where this process made that claim",
                Unit::Seconds,
                worker.waits.clone(),
            );
            registry.register_with_unit(
                "worker_snapshot",
                "From the start of an attempt until its source could be read: planning, estimating, connecting, the query's start",
                Unit::Seconds,
                worker.snapshots.clone(),
            );
            registry.register_with_unit(
                "worker_export_duration",
                "From a claim to the published file, of attempts that completed",
                Unit::Seconds,
                worker.exports.clone(),
            );
        });
        worker
    }

    /// An attempt at this export begins, which was claimed just now.
    pub(crate) fn begin(&self, export: &Export) -> Attempt<'_> {
        if export.epoch == 1
            && let Some(started) = export.started_at
        {
            let wait = (started - export.created_at).to_std();
            let wait = wait.unwrap_or_default().as_secs_f64();
            self.waits_in(export.lane).observe(wait);
        }
        Attempt {
            metrics: self,
            began: Instant::now(),
            _running: self.attempts.begin(),
        }
    }

    fn waits_in(&self, lane: Lane) -> Histogram {
        self.waits
            .get_or_create_owned(&InLane { lane: lane.name() })
    }

    /// A source that was to be read from then on can be read now.
    pub(crate) fn snapshot_opened(&self, since: Instant) {
        self.snapshots.observe(since.elapsed().as_secs_f64());
    }

    /// A file was published.
    pub(crate) fn published(&self, receipt: &Receipt) {
        self.attempts.published(receipt);
    }
}

/// Registers a counter of this process, once for it.
pub(crate) fn registered_counter(
    metrics: &ProcessMetrics,
    name: &'static str,
    help: &'static str,
) -> Counter {
    let counter = Counter::default();
    metrics.register(|registry| registry.register(name, help, counter.clone()));
    counter
}

/// An attempt that runs.
pub(crate) struct Attempt<'m> {
    metrics: &'m WorkerMetrics,
    began: Instant,
    _running: Running,
}

impl Attempt<'_> {
    pub(crate) fn end(self, outcome: Outcome) {
        if outcome == Outcome::Completed {
            let took = self.began.elapsed();
            self.metrics.exports.observe(took.as_secs_f64());
        }
        self.metrics.attempts.ended(outcome);
    }
}
