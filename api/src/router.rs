//! Every route, on one screen. What a route does is in [`routes`](crate::routes).

use std::sync::Arc;

use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::{Extension, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_readiness::Readiness;

use crate::auth::Access;
use crate::links::API_PREFIX;
use crate::metrics::{MeasuredRoutes, RequestMetrics, measured};
use crate::middleware::boundary::boundary;
use crate::middleware::gate::{self, Gate};
use crate::middleware::head_bounds;
use crate::openapi::{self, Published};
use crate::problem::Problem;
use crate::routes::{endings, exports, following, operations, problems, reports, status};
use crate::state::{ApiState, HealthParts};

/// The whole service and the document that describes it.
pub(crate) fn router(state: ApiState) -> serde_json::Result<(Router, OpenApi)> {
    let v1 = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(reports::get_report_catalog))
        .routes(routes!(reports::run_report_query))
        .routes(routes!(reports::export_report_query))
        .routes(routes!(exports::list_exports))
        .routes(routes!(exports::get_export, endings::delete_export))
        .routes(routes!(exports::download_export))
        .routes(routes!(following::stream_export_events))
        .routes(routes!(endings::cancel_export))
        .routes(routes!(status::get_operations_status));
    let around = health_routes()
        .routes(routes!(operations::get_openapi))
        .routes(routes!(operations::get_docs))
        .routes(routes!(operations::get_start_page));

    let (v1, mut document) = v1.split_for_parts();
    openapi::answer_to_keys(&mut document);
    if matches!(state.access, Access::Keys(_)) {
        openapi::require_key(&mut document);
    }
    let (around, described) = around.split_for_parts();
    document.merge(described);
    openapi::name_servers(&mut document);
    let published = Published::new(&document)?;

    let v1 = v1.layer(map_response(private));
    let router = Router::new()
        .nest(API_PREFIX, v1.clone())
        .merge(v1)
        .merge(around)
        .layer(Extension(published));
    let measured = state.metrics.requests.clone().of_routes(&document);
    let gate = state.gate();
    Ok((bounded(router, gate, measured).with_state(state), document))
}

/// What a process serves that has no API: a worker's health, and what explains its problems.
pub(crate) fn health(parts: HealthParts) -> Router {
    let (router, document) = health_routes().split_for_parts();
    let measured = RequestMetrics::registered(&parts.metrics).of_routes(&document);
    bounded(router, Gate::open(), measured).with_state(parts)
}

/// The routes that every process has.
fn health_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Readiness: FromRef<S>,
    ProcessMetrics: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::get_metrics))
        .routes(routes!(problems::list_problems))
        .routes(routes!(problems::explain_problem))
}

/// The same routes, where every refusal is a problem document and every request is counted.
fn bounded<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    gate: Gate,
    routes: MeasuredRoutes,
) -> Router<S> {
    router
        .fallback(nothing_here)
        .layer(from_fn(head_bounds::bounded))
        .layer(from_fn_with_state(gate, gate::guarded))
        .layer(from_fn(boundary))
        .layer(from_fn_with_state(Arc::new(routes), measured))
}

async fn nothing_here() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

/// What a caller is told is for nobody else, and old the moment after.
async fn private(mut response: Response) -> Response {
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().entry(CACHE_CONTROL).or_insert(value);
    response
}
