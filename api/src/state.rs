//! What every handler may use. Owns nothing that outlives a request but the measures of admission and
//! waiting, and the reader behind those who watch exports.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;
use waybill_config::{ExportSettings, InlineSettings, LimitSettings};
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Changes, Intake};
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_store::Bucket;

use crate::admission::Admission;
use crate::auth::{Access, Authenticator};
use crate::metrics::ApiMetrics;
use crate::middleware::gate::Gate;
use crate::watcher::places::Waiting;
use crate::watcher::watchers::Watches;

/// What the service is put together from.
pub struct ApiParts {
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

/// The state of the service; a clone is the same state.
#[derive(Clone)]
pub struct ApiState {
    parts: Arc<ApiParts>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) metrics: Arc<ApiMetrics>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) watches: Arc<Watches>,
    draining: CancellationToken,
}

impl ApiState {
    /// The state of a service with these parts. Connects to nothing. Needs a Tokio runtime.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let admission = Arc::new(Admission::new(&parts.inline, parts.exports.large_rows));
        let waiting = Arc::new(Waiting::new(parts.limits.max_waiting));
        let metrics = ApiMetrics::registered(parts.metrics.clone(), &admission, &waiting);
        Self {
            admission,
            metrics: Arc::new(metrics),
            authenticator: Arc::new(Authenticator::new(parts.access.clone(), &parts.limits)),
            waiting,
            watches: Arc::new(Watches::new(
                Arc::clone(&parts.ledger),
                Arc::clone(&parts.changes),
            )),
            parts: Arc::new(parts),
            draining: CancellationToken::new(),
        }
    }

    /// The same state in a service that ends when the token is cancelled.
    pub(crate) fn draining_with(self, shutdown: CancellationToken) -> Self {
        Self {
            draining: shutdown,
            ..self
        }
    }

    /// Who may have sent a request.
    pub(crate) fn gate(&self) -> Gate {
        let gate = match self.access {
            Access::Everyone => Gate::guarded(self.public_url.as_deref()),
            Access::Keys(_) => Gate::open(),
        };
        gate.allowing(self.allowed_origins.iter().map(String::as_str))
    }

    /// Cancelled when the service ends: nothing is held back for a client any longer.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }
}

impl Deref for ApiState {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.parts
    }
}

impl FromRef<ApiState> for ProcessMetrics {
    fn from_ref(state: &ApiState) -> Self {
        state.metrics.process.clone()
    }
}

/// What the health of a process without an API is put together from.
#[derive(Clone)]
pub struct HealthParts {
    /// What must be there.
    pub readiness: Readiness,
    /// What it counts.
    pub metrics: ProcessMetrics,
}

impl FromRef<HealthParts> for Readiness {
    fn from_ref(parts: &HealthParts) -> Self {
        parts.readiness.clone()
    }
}

impl FromRef<HealthParts> for ProcessMetrics {
    fn from_ref(parts: &HealthParts) -> Self {
        parts.metrics.clone()
    }
}

impl FromRef<ApiState> for Readiness {
    fn from_ref(state: &ApiState) -> Self {
        state.readiness.clone()
    }
}
