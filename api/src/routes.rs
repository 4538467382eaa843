//! Every route, on one screen. A new one is a file below, its lines here, and a row in the walk of
//! `tests/it/routes.rs`.
//!
//! Each file is one operation and reads top to bottom what happens to a request; how the routes become a
//! service is in [`router`](crate::router), how they fail in [`problem`](crate::problem).

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_readiness::Readiness;

use crate::state::ApiState;

/// What can be asked, and asking it: at once, or as a job where the result is not small.
mod reports {
    pub(super) mod catalog;
    pub(super) mod export;
    pub(super) mod query;
}

/// Exports that became jobs: one, all of them, the file, and what becomes of them.
mod exports {
    pub(super) mod cancel;
    pub(super) mod delete;
    pub(super) mod download;
    pub(super) mod events;
    pub(super) mod get;
    pub(super) mod list;
}

/// What operators and tools ask: is it alive, is it ready, what can it do, how is it.
mod operations {
    pub(super) mod docs;
    pub(super) mod livez;
    pub(super) mod metrics;
    pub(super) mod openapi;
    pub(super) mod readyz;
    pub(super) mod start_page;
    pub(super) mod status;
}

/// Pages that explain the codes of problems: where the `type` of each leads.
mod problems {
    pub(super) mod explain;
    pub(super) mod list;
}

/// Returns the routes of `/v1`: those for callers.
pub(crate) fn v1() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(reports::catalog::get_report_catalog))
        .routes(routes!(reports::query::run_report_query))
        .routes(routes!(reports::export::export_report_query))
        .routes(routes!(exports::list::list_exports))
        .routes(routes!(
            exports::get::get_export,
            exports::delete::delete_export
        ))
        .routes(routes!(exports::download::download_export))
        .routes(routes!(exports::events::stream_export_events))
        .routes(routes!(exports::cancel::cancel_export))
        .routes(routes!(operations::status::get_operations_status))
}

/// Returns the routes that describe the API.
pub(crate) fn about() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(operations::openapi::get_openapi))
        .routes(routes!(operations::docs::get_docs))
        .routes(routes!(operations::start_page::get_start_page))
}

/// Returns the routes that every process has: its health, and what explains its problems.
pub(crate) fn health<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Readiness: FromRef<S>,
    ProcessMetrics: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(operations::livez::livez))
        .routes(routes!(operations::readyz::readyz))
        .routes(routes!(operations::metrics::get_metrics))
        .routes(routes!(problems::list::list_problems))
        .routes(routes!(problems::explain::explain_problem))
}
