//! What the service counts and measures of its requests.
//!
//! Handles are looked up once, when the service is put together: counting a request costs a few atomic
//! additions and no text. Labels are names of operations, methods, statuses, codes and outcomes, so that
//! their number does not grow with clients.

mod exports;
mod inline;
mod requests;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::gauge::ConstGauge;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_telemetry::metrics::Sampled;

use crate::admission::Admission;
use crate::watcher::places::Waiting;

pub(crate) use exports::ExportMetrics;
pub(crate) use inline::InlineMetrics;
pub(crate) use requests::{MeasuredRoutes, RequestMetrics, measured};

/// How something went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts and times of this process's API.
pub(crate) struct ApiMetrics {
    /// Everything that this process counts.
    pub(crate) process: ProcessMetrics,
    pub(crate) requests: RequestMetrics,
    pub(crate) inline: InlineMetrics,
    pub(crate) exports: ExportMetrics,
}

impl ApiMetrics {
    /// Those of an API with these bounds, once for a process.
    pub(crate) fn registered(
        process: ProcessMetrics,
        admission: &Arc<Admission>,
        waiting: &Arc<Waiting>,
    ) -> Self {
        let (_, slots) = admission.slots();
        let (_, places) = waiting.places();
        let (admission, waiting) = (Arc::clone(admission), Arc::clone(waiting));
        process.register(|registry| {
            registry.register(
                "inline_slots",
                "Reports that this process answers at once at the same time, at most",
                most(slots),
            );
            registry.register(
                "inline_slots_in_use",
                "Reports that this process answers at once now",
                Sampled::new(move || u64::try_from(admission.slots().0).ok()),
            );
            registry.register(
                "http_waiting_places",
                "Clients that this process holds (Prefer: wait) or streams events to at the same time, at most",
                most(places),
            );
            registry.register(
                "http_waiting_places_in_use",
                "Clients that this process holds (Prefer: wait) or streams events to now",
                Sampled::new(move || u64::try_from(waiting.places().0).ok()),
            );
        });
        Self {
            requests: RequestMetrics::registered(&process),
            inline: InlineMetrics::registered(&process),
            exports: ExportMetrics::registered(&process),
            process,
        }
    }
}

/// A bound, which no process changes.
fn most(number: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
}
