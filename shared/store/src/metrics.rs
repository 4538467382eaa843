//! How the store takes the parts of files.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use waybill_telemetry::metrics::MetricRegistry;

/// Seconds. A part of 8 MiB passes a local disk in 10 ms, and may take a minute before it is given up.
const PART_SECONDS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Counts and times of part uploads. Without a registry they are counted all the same, for nobody.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    seconds: Histogram,
    bytes: Counter,
    retries: Counter,
    failures: Counter,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            seconds: Histogram::new(PART_SECONDS),
            bytes: Counter::default(),
            retries: Counter::default(),
            failures: Counter::default(),
        }
    }
}

impl StoreMetrics {
    /// Returns those of this process, once for it.
    #[must_use]
    pub fn registered(metrics: &MetricRegistry) -> Self {
        let store = Self::default();
        metrics.register(|registry| {
            registry.register_with_unit(
                "store_part_upload",
                "From handing a part to the store's client until the store has it, other tries included",
                Unit::Seconds,
                store.seconds.clone(),
            );
            registry.register_with_unit(
                "store_uploaded",
                "Bytes of the parts that the store has taken",
                Unit::Bytes,
                store.bytes.clone(),
            );
            registry.register(
                "store_part_retries",
                "Tries to upload a part beyond the first one of each",
                store.retries.clone(),
            );
            registry.register(
                "store_part_failures",
                "Parts that the store did not take after all tries",
                store.failures.clone(),
            );
        });
        store
    }

    /// Counts a part that was stored.
    pub(crate) fn stored(&self, took: Duration, size_bytes: u64) {
        self.seconds.observe(took.as_secs_f64());
        self.bytes.inc_by(size_bytes);
    }

    /// Counts a part that was not stored, which nobody tries again.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }

    /// Counts another attempt at a part.
    pub(crate) fn attempted_again(&self) {
        self.retries.inc();
    }
}
