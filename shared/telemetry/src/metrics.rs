//! What a process counts and measures, as Prometheus reads it.
//!
//! A process has one registry, made where its parts are put together. Each part registers what is its own
//! and keeps typed handles, so that counting is an atomic addition and no search by name. This module owns
//! the registry. It knows no HTTP: who asks, and how that is answered, is for others.
//!
//! # Names
//! `waybill_`, then whose number it is (`http`, `inline`, `worker`, `store`, `rescue`: this process;
//! `ledger`: the whole installation, the same in every process), then what, then the unit. Labels have a
//! few values that the code knows. No organisation, key, id or path is ever one.

mod process;
mod sampled;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::process::Process;

pub use self::sampled::Sampled;

/// The media type of an [`exposition`](MetricRegistry::exposition): OpenMetrics, which Prometheus reads.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with.
const PREFIX: &str = "waybill";

/// The metrics of this process. A clone is the same registry.
#[derive(Clone)]
pub struct MetricRegistry(Arc<Shared>);

struct Shared {
    registry: Mutex<Registry>,
    process: Process,
}

impl MetricRegistry {
    /// Returns those of a process of this version that begins now.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let process = Process::registered(version, &mut registry);
        Self(Arc::new(Shared {
            registry: Mutex::new(registry),
            process,
        }))
    }

    /// Adds metrics, whose names are without the prefix. Each part does so once: a name that is
    /// registered twice makes the exposition unreadable.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock());
    }

    /// Returns which program this is, as `major.minor.patch`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.0.process.version
    }

    /// Returns how long this process has run.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.process.began.elapsed()
    }

    /// Returns everything, as [`MEDIA_TYPE`].
    ///
    /// # Errors
    /// [`fmt::Error`] when a number has no text in this format, which none of ours does.
    pub fn exposition(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry.lock())?;
        Ok(text)
    }
}
