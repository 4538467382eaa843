//! What the service counts and measures of its requests.
//!
//! Handles are looked up once, when the service is put together: counting a request costs a few atomic
//! additions and no text. Labels are names of operations, methods, statuses, codes and outcomes, so that
//! their number does not grow with clients.

pub(crate) mod exports;
pub(crate) mod inline;
mod outcome;
pub(crate) mod requests;

use std::sync::Arc;

use prometheus_client::metrics::gauge::ConstGauge;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_telemetry::metrics::Sampled;

use self::exports::ExportMetrics;
use self::inline::InlineMetrics;
use self::requests::RequestMetrics;
use crate::admission::Admission;
use crate::watcher::places::Places;

/// Counts and times of this process's API.
pub(crate) struct ApiMetrics {
    /// Everything that this process counts.
    pub(crate) process: ProcessMetrics,
    pub(crate) requests: RequestMetrics,
    pub(crate) inline: InlineMetrics,
    pub(crate) exports: ExportMetrics,
    admission: Arc<Admission>,
    places: Arc<Places>,
}

impl ApiMetrics {
    /// Registers those of an API with these bounds, once for a process.
    pub(crate) fn registered(
        process: ProcessMetrics,
        admission: &Arc<Admission>,
        places: &Arc<Places>,
    ) -> Self {
        let (_, slot_count) = admission.slots();
        let (_, place_count) = places.in_use();
        let (sampled_admission, sampled_places) = (Arc::clone(admission), Arc::clone(places));
        process.register(|registry| {
            registry.register(
                "inline_slots",
                "Reports that this process answers at once at the same time, at most",
                bound(slot_count),
            );
            registry.register(
                "inline_slots_in_use",
                "Reports that this process answers at once now",
                Sampled::new(move || u64::try_from(sampled_admission.slots().0).ok()),
            );
            registry.register(
                "http_waiting_places",
                "Clients that this process holds (Prefer: wait) or streams events to at the same time, at most",
                bound(place_count),
            );
            registry.register(
                "http_waiting_places_in_use",
                "Clients that this process holds (Prefer: wait) or streams events to now",
                Sampled::new(move || u64::try_from(sampled_places.in_use().0).ok()),
            );
        });
        Self {
            requests: RequestMetrics::registered(&process),
            inline: InlineMetrics::registered(&process),
            exports: ExportMetrics::registered(&process),
            admission: Arc::clone(admission),
            places: Arc::clone(places),
            process,
        }
    }

    /// Returns how many inline slots are in use, and how many there are.
    pub(crate) fn inline_slots(&self) -> (usize, usize) {
        self.admission.slots()
    }

    /// Returns how many places for clients that wait are in use, and how many there are.
    pub(crate) fn waiting_places(&self) -> (usize, usize) {
        self.places.in_use()
    }
}

/// Returns the gauge of a bound, which no process changes.
fn bound(number: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
}
