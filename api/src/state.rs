//! The parts of the service, put together once. Only [`router`](crate::router) knows all of them: a handler says
//! in its arguments which it takes (`State<Arc<Planner>>`), and finds out about no other.
//!
//! Owns nothing that outlives a request but the measures of admission and of places, and the reader behind
//! those who watch exports.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;
use waybill_config::ExportSettings;
use waybill_ledger::Intake;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;

use crate::admission::Admission;
use crate::admission::planner::Planner;
use crate::answer::download::Downloads;
use crate::answer::events::EventStreams;
use crate::answer::inline::InlineAnswers;
use crate::answer::job::Jobs;
use crate::auth::{Access, Authenticator};
use crate::dependencies::Dependencies;
use crate::links::PublicUrl;
use crate::metrics::ApiMetrics;
use crate::middleware::gate::Gate;
use crate::request::json_body::ReadTimeout;
use crate::watcher::long_poll::LongPoll;
use crate::watcher::places::Places;
use crate::watcher::watchers::Watchers;

/// The parts; a clone is the same.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Parts>);

/// Declares the parts, each of which a handler may take as `State<…>`.
macro_rules! parts {
    ($($name:ident: $part:ty,)+) => {
        pub(crate) struct Parts {
            /// Who may have sent a request.
            pub(crate) gate: Gate,
            /// Whether callers show keys.
            pub(crate) asks_for_keys: bool,
            $(pub(crate) $name: $part,)+
        }

        $(impl FromRef<ApiState> for $part {
            fn from_ref(state: &ApiState) -> Self {
                state.0.$name.clone()
            }
        })+
    };
}

parts! {
    catalog: Arc<Catalog>,
    ledger: Arc<dyn Intake>,
    readiness: Readiness,
    settings: Arc<ExportSettings>,
    public_url: PublicUrl,
    read_timeout: ReadTimeout,
    authenticator: Arc<Authenticator>,
    planner: Arc<Planner>,
    inline: Arc<InlineAnswers>,
    jobs: Arc<Jobs>,
    downloads: Arc<Downloads>,
    long_poll: Arc<LongPoll>,
    events: Arc<EventStreams>,
    metrics: Arc<ApiMetrics>,
    process_metrics: ProcessMetrics,
}

impl ApiState {
    /// Puts the parts together, of a service that ends when `draining` is cancelled. Connects to nothing.
    /// Needs a Tokio runtime.
    pub(crate) fn new(dependencies: Dependencies, draining: CancellationToken) -> Self {
        let Dependencies {
            catalog,
            sources,
            ledger,
            changes,
            bucket,
            readiness,
            access,
            inline,
            exports,
            limits,
            public_url,
            allowed_origins,
            metrics: process_metrics,
        } = dependencies;
        let (gate, asks_for_keys) = match &access {
            Access::Everyone => (Gate::guarded(public_url.as_deref()), false),
            Access::Keys(_) => (Gate::open(), true),
        };
        let settings = Arc::new(exports);
        let admission = Arc::new(Admission::new(&inline, settings.large_rows));
        let places = Arc::new(Places::new(limits.max_waiting));
        let metrics = ApiMetrics::registered(process_metrics.clone(), &admission, &places);
        let authenticator = Arc::new(Authenticator::new(access, &limits));
        let watchers = Arc::new(Watchers::new(Arc::clone(&ledger), changes));
        let planner = Arc::new(Planner::new(Arc::clone(&catalog), Arc::clone(&admission)));
        let long_poll = Arc::new(LongPoll {
            ledger: Arc::clone(&ledger),
            watchers: Arc::clone(&watchers),
            places: Arc::clone(&places),
            authenticator: Arc::clone(&authenticator),
            draining: draining.clone(),
        });
        let events = EventStreams {
            ledger: Arc::clone(&ledger),
            watchers,
            places: Arc::clone(&places),
            authenticator: Arc::clone(&authenticator),
            draining,
        };
        let downloads = Arc::new(Downloads {
            bucket,
            authenticator: Arc::clone(&authenticator),
            link_lifetime: settings.link(),
        });
        let inline = InlineAnswers {
            sources,
            settings: inline,
            exports: Arc::clone(&settings),
            planner: Arc::clone(&planner),
            admission: Arc::clone(&admission),
            authenticator: Arc::clone(&authenticator),
            metrics: metrics.inline.clone(),
        };
        let jobs = Jobs {
            ledger: Arc::clone(&ledger),
            settings: Arc::clone(&settings),
            admission: Arc::clone(&admission),
            long_poll: Arc::clone(&long_poll),
            downloads: Arc::clone(&downloads),
            metrics: metrics.exports.clone(),
        };
        Self(Arc::new(Parts {
            gate: gate.allowing(allowed_origins.iter().map(String::as_str)),
            asks_for_keys,
            catalog,
            ledger,
            readiness,
            settings,
            public_url: PublicUrl(public_url.map(Arc::from)),
            read_timeout: ReadTimeout(limits.read_timeout()),
            authenticator,
            planner,
            inline: Arc::new(inline),
            jobs: Arc::new(jobs),
            downloads,
            long_poll,
            events: Arc::new(events),
            metrics: Arc::new(metrics),
            process_metrics,
        }))
    }
}

impl Deref for ApiState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
