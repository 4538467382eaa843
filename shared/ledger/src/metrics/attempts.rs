//! What becomes of the exports that a process works on.
//!
//! The worker counts, and whoever serves the status of the same process shows it: this is all that the
//! two have in common.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;
use waybill_telemetry::metrics::MetricRegistry;

use crate::export::{FailureCode, Receipt};

/// How an attempt at an export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its file is published.
    Completed,
    /// The export failed for good.
    Failed(FailureCode),
    /// It counts as a failure, and there will be another attempt.
    Retried(FailureCode),
    /// Given back without a failure: a dependency is away, or the process ends.
    HandedBack,
    /// Its client cancelled or deleted the export.
    Stopped,
    /// Another claim began meanwhile: this process was taken for dead.
    LeaseLost,
    /// How it ended could not be recorded; rescue goes on from there.
    Unrecorded,
}

impl Outcome {
    /// Every name, in the order in which they are shown.
    pub const NAMES: [&'static str; 7] = [
        "completed",
        "failed",
        "retried",
        "handed_back",
        "stopped",
        "lease_lost",
        "unrecorded",
    ];

    /// Returns every one.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::Completed,
            Self::HandedBack,
            Self::Stopped,
            Self::LeaseLost,
            Self::Unrecorded,
        ];
        let failures =
            FailureCode::all().flat_map(|code| [Self::Failed(code), Self::Retried(code)]);
        plain.into_iter().chain(failures)
    }

    /// Returns the name in metrics, without the code.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Retried(_) => "retried",
            Self::HandedBack => "handed_back",
            Self::Stopped => "stopped",
            Self::LeaseLost => "lease_lost",
            Self::Unrecorded => "unrecorded",
        }
    }

    fn labels(self) -> Labels {
        let code = match self {
            Self::Failed(code) | Self::Retried(code) => code.name(),
            _ => "none",
        };
        Labels {
            outcome: self.name(),
            code,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
    code: &'static str,
}

/// Counts of attempts, since this process began.
#[derive(Clone, Debug)]
pub struct AttemptMetrics {
    running: Gauge,
    ended: Family<Labels, Counter>,
    rows: Counter,
    bytes: Counter,
}

impl AttemptMetrics {
    pub(super) fn registered(metrics: &MetricRegistry) -> Self {
        let attempts = Self {
            running: Gauge::default(),
            ended: Family::default(),
            rows: Counter::default(),
            bytes: Counter::default(),
        };
        // A counter that appears with its first event hides that event from `increase`.
        for outcome in Outcome::all() {
            drop(attempts.ended.get_or_create(&outcome.labels()));
        }
        metrics.register(|registry| {
            registry.register(
                "worker_running_exports",
                "Exports that this process works on now",
                attempts.running.clone(),
            );
            registry.register(
                "worker_attempts",
                "Attempts at exports that ended in this process, by outcome and, where one failed, by the code that its client reads",
                attempts.ended.clone(),
            );
            registry.register(
                "worker_exported_rows",
                "Rows of the files that this process published",
                attempts.rows.clone(),
            );
            registry.register_with_unit(
                "worker_exported",
                "Bytes of the files that this process published",
                Unit::Bytes,
                attempts.bytes.clone(),
            );
        });
        attempts
    }

    /// Counts an attempt that begins; it runs until this is dropped.
    #[must_use]
    pub fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// Counts an attempt that ended.
    pub fn ended(&self, outcome: Outcome) {
        self.ended.get_or_create(&outcome.labels()).inc();
    }

    /// Counts a file that was published.
    pub fn published(&self, receipt: &Receipt) {
        self.rows.inc_by(receipt.row_count);
        self.bytes.inc_by(receipt.size_bytes);
    }

    /// Returns how many attempts run now.
    #[must_use]
    pub fn running(&self) -> u64 {
        u64::try_from(self.running.get()).unwrap_or_default()
    }

    /// Returns how many attempts ended so, under one of [`Outcome::NAMES`], whatever their code.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        Outcome::all()
            .filter(|outcome| outcome.name() == name)
            .map(|outcome| self.ended.get_or_create(&outcome.labels()).get())
            .sum()
    }

    /// Returns rows and bytes of the files that were published.
    #[must_use]
    pub fn exported(&self) -> (u64, u64) {
        (self.rows.get(), self.bytes.get())
    }
}

/// An attempt that runs.
#[derive(Debug)]
pub struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
