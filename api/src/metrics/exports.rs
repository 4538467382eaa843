//! Requests that are answered with a job.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use waybill_ledger::Enqueued;
use waybill_ledger::metrics::ProcessMetrics;

use super::outcome::Outcome;

#[derive(Clone, Debug)]
pub(crate) struct ExportMetrics {
    started: Counter,
    shared: Counter,
    replayed: Counter,
}

impl ExportMetrics {
    pub(super) fn registered(metrics: &ProcessMetrics) -> Self {
        let family = Family::<Outcome, Counter>::default();
        let counter = |outcome| family.get_or_create_owned(&Outcome { outcome });
        let exports = Self {
            started: counter("started"),
            shared: counter("shared"),
            replayed: counter("replayed"),
        };
        metrics.register(|registry| {
            registry.register(
                "http_accepted_exports",
                "Requests that were answered with a job: one that was started, one that an identical request has already, or that of an idempotency key",
                family,
            );
        });
        exports
    }

    /// Counts what the ledger made of a request; refusals are counted as problems.
    pub(crate) fn answered(&self, outcome: &Enqueued) {
        match outcome {
            Enqueued::Accepted(_) => self.started.inc(),
            Enqueued::Shared(_) => self.shared.inc(),
            Enqueued::Replayed(_) => self.replayed.inc(),
            Enqueued::KeyReused | Enqueued::TooManyActive | Enqueued::QueueFull => return,
        };
    }
}
