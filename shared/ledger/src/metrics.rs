//! What the ledger tells of the whole installation, and what becomes of the exports of this process.
//!
//! What more than one part of a process counts or shows, on top of its [`MetricRegistry`].

mod attempts;
mod backlog;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use waybill_telemetry::metrics::MetricRegistry;

use self::backlog::BacklogMetrics;
use crate::backlog::Backlog;
use crate::intake::Intake;

pub use self::attempts::{AttemptMetrics, Outcome, Running};

/// The metrics of this process and of its ledger. A clone is the same.
#[derive(Clone)]
pub struct ProcessMetrics {
    registry: MetricRegistry,
    shared: Arc<Shared>,
}

struct Shared {
    backlog: BacklogMetrics,
    attempts: OnceLock<AttemptMetrics>,
}

impl Deref for ProcessMetrics {
    type Target = MetricRegistry;

    fn deref(&self) -> &MetricRegistry {
        &self.registry
    }
}

impl ProcessMetrics {
    /// Makes those of a process of this version that begins now, and of its ledger. Reads nothing yet.
    #[must_use]
    pub fn new(version: &'static str, intake: Arc<dyn Intake>) -> Self {
        let registry = MetricRegistry::new(version);
        let backlog = BacklogMetrics::registered(intake, &registry);
        Self {
            registry,
            shared: Arc::new(Shared {
                backlog,
                attempts: OnceLock::new(),
            }),
        }
    }

    /// Returns what becomes of the exports that this process works on; registered by the first call, which is a
    /// worker's.
    pub fn attempts(&self) -> &AttemptMetrics {
        self.shared
            .attempts
            .get_or_init(|| AttemptMetrics::registered(self))
    }

    /// Returns the same, if this process has a worker.
    #[must_use]
    pub fn attempts_of_worker(&self) -> Option<&AttemptMetrics> {
        self.shared.attempts.get()
    }

    /// Returns what waits in the whole installation, no older than a second; `None` while the ledger does not
    /// answer. Takes 2 s at most, and never asks the ledger more than once at a time.
    pub async fn backlog(&self) -> Option<Backlog> {
        self.shared.backlog.read().await
    }

    /// Writes everything, as [`MEDIA_TYPE`](waybill_telemetry::metrics::MEDIA_TYPE). What cannot be read at the
    /// moment is left out.
    ///
    /// # Errors
    /// [`fmt::Error`] when a number has no text in this format, which none of ours does.
    pub async fn exposition(&self) -> Result<String, fmt::Error> {
        self.backlog().await;
        self.registry.exposition()
    }
}
