//! What a process counts and measures, as Prometheus reads it.
//!
//! A process has one registry, made where its parts are put together. Each part registers what is its own
//! and keeps typed handles, so that counting is an atomic addition and no search by name. This module owns
//! the registry and what more than one part counts or shows. It knows no HTTP: who asks, and how that is
//! answered, is for others.
//!
//! # Names
//! `waybill_`, then whose number it is (`http`, `inline`, `worker`, `store`, `rescue`: this process;
//! `ledger`: the whole installation, the same in every process), then what, then the unit. Labels have a
//! few values that the code knows. No organisation, key, id or path is ever one.

mod attempts;
mod backlog;
mod process;
mod sampled;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::backlog::BacklogMetrics;
use self::process::Process;
use crate::ledger::{Backlog, Ledger};

pub use self::attempts::{AttemptMetrics, Outcome, Running};
pub use self::sampled::Sampled;
pub use self::store::StoreMetrics;

/// The media type of an [`exposition`](ProcessMetrics::exposition): OpenMetrics, which Prometheus reads.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with.
const PREFIX: &str = "waybill";

/// The metrics of this process. A clone is the same registry.
#[derive(Clone)]
pub struct ProcessMetrics(Arc<Shared>);

struct Shared {
    registry: Mutex<Registry>,
    process: Process,
    backlog: BacklogMetrics,
    attempts: OnceLock<AttemptMetrics>,
}

impl ProcessMetrics {
    /// Those of a process of this version that begins now, and of its ledger. Reads nothing yet.
    #[must_use]
    pub fn new(version: &'static str, ledger: Arc<dyn Ledger>) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let process = Process::registered(version, &mut registry);
        let backlog = BacklogMetrics::registered(ledger, &mut registry);
        Self(Arc::new(Shared {
            registry: Mutex::new(registry),
            process,
            backlog,
            attempts: OnceLock::new(),
        }))
    }

    /// Adds metrics, whose names are without the prefix. Each part does so once: a name that is
    /// registered twice makes the exposition unreadable.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    /// What becomes of the exports that this process works on; registered by the first call, which is a
    /// worker's.
    pub fn attempts(&self) -> &AttemptMetrics {
        self.0
            .attempts
            .get_or_init(|| AttemptMetrics::registered(self))
    }

    /// The same, if this process has a worker.
    #[must_use]
    pub fn attempts_of_worker(&self) -> Option<&AttemptMetrics> {
        self.0.attempts.get()
    }

    /// Which program this is, as `major.minor.patch`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.0.process.version
    }

    /// Since when this process runs.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.process.began.elapsed()
    }

    /// What waits in the whole installation, no older than a second; `None` while the ledger does not
    /// answer. Takes 2 s at most, and never asks the ledger more than once at a time.
    pub async fn backlog(&self) -> Option<Backlog> {
        self.0.backlog.read().await
    }

    /// Everything, as [`MEDIA_TYPE`]. What cannot be read at the moment is left out.
    ///
    /// # Errors
    /// [`fmt::Error`] when a number has no text in this format, which none of ours does.
    pub async fn exposition(&self) -> Result<String, fmt::Error> {
        self.backlog().await;
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        let registry = self.0.registry.lock();
        registry.unwrap_or_else(PoisonError::into_inner)
    }
}
