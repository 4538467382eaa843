//! What a service is put together from; whoever starts it owns these.

use std::sync::Arc;

use axum::extract::FromRef;
use waybill_config::{ExportSettings, InlineSettings, LimitSettings};
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Changes, Intake};
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_store::Bucket;

use crate::auth::Access;

/// What the API is put together from.
pub struct Dependencies {
    /// What may be asked.
    pub catalog: Arc<Catalog>,
    /// Where the answers are read.
    pub sources: Sources,
    /// Where exports are recorded: what an API may do to them.
    pub ledger: Arc<dyn Intake>,
    /// What tells of changed exports.
    pub changes: Arc<dyn Changes>,
    /// Where their files are.
    pub bucket: Bucket,
    /// What must be there.
    pub readiness: Readiness,
    /// Who may call.
    pub access: Access,
    /// Bounds of answers at once.
    pub inline: InlineSettings,
    /// Bounds of exports.
    pub exports: ExportSettings,
    /// What clients may take of the process.
    pub limits: LimitSettings,
    /// What links begin with; `None` = what each request says.
    pub public_url: Option<String>,
    /// Origins of other pages that may ask: scheme, host and port.
    pub allowed_origins: Vec<String>,
    /// Where it registers what it counts; one API a process.
    pub metrics: ProcessMetrics,
}

/// What the health of a process without an API is put together from.
#[derive(Clone)]
pub struct HealthDependencies {
    /// What must be there.
    pub readiness: Readiness,
    /// What it counts.
    pub metrics: ProcessMetrics,
}

impl FromRef<HealthDependencies> for Readiness {
    fn from_ref(dependencies: &HealthDependencies) -> Self {
        dependencies.readiness.clone()
    }
}

impl FromRef<HealthDependencies> for ProcessMetrics {
    fn from_ref(dependencies: &HealthDependencies) -> Self {
        dependencies.metrics.clone()
    }
}
