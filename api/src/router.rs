//! The service: its [routes](crate::routes), the document that describes them, and what every request passes.

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::{Extension, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::dependencies::HealthDependencies;
use crate::links::API_PREFIX;
use crate::links::action::operation;
use crate::metrics::requests::RequestMetrics;
use crate::middleware::boundary::boundary;
use crate::middleware::gate::{Gate, guarded};
use crate::middleware::head_bounds::bounded;
use crate::middleware::panics::PanicProblem;
use crate::middleware::request_metrics::{MeasuredOperations, measured};
use crate::openapi;
use crate::openapi::published::Published;
use crate::problem::Problem;
use crate::routes;
use crate::state::ApiState;

/// Returns the whole service and the document that describes it.
pub(crate) fn router(state: ApiState) -> serde_json::Result<(Router, OpenApi)> {
    let v1 = OpenApiRouter::with_openapi(openapi::base()).merge(routes::v1());
    let (v1, mut document) = v1.split_for_parts();
    openapi::name_file_types(&mut document, operation::EXPORT_REPORT_QUERY);
    openapi::answer_to_keys(&mut document);
    if state.asks_for_keys {
        openapi::require_key(&mut document);
    }
    let (around, described) = routes::health().merge(routes::about()).split_for_parts();
    document.merge(described);
    openapi::name_servers(&mut document);
    let published = Published::new(&document)?;

    let v1 = v1.layer(map_response(private));
    let router = Router::new()
        .nest(API_PREFIX, v1.clone())
        .merge(v1)
        .merge(around)
        .layer(Extension(published));
    let operations = MeasuredOperations::new(state.metrics.requests.clone(), &document);
    let router = with_middleware(router, state.gate.clone(), operations);
    Ok((router.with_state(state), document))
}

/// Returns what a process serves that has no API: a worker's health, and what explains its problems.
pub(crate) fn health(dependencies: HealthDependencies) -> Router {
    let (router, document) = routes::health().split_for_parts();
    let metrics = RequestMetrics::registered(&dependencies.metrics);
    let operations = MeasuredOperations::new(metrics, &document);
    with_middleware(router, Gate::open(), operations).with_state(dependencies)
}

/// Returns the same routes behind what every request passes: the last layer is the first that it meets.
pub(crate) fn with_middleware<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    gate: Gate,
    operations: MeasuredOperations,
) -> Router<S> {
    router
        .fallback(nothing_here)
        .layer(from_fn(bounded))
        .layer(from_fn_with_state(gate, guarded))
        .layer(CatchPanicLayer::custom(PanicProblem))
        .layer(from_fn(boundary))
        .layer(from_fn_with_state(Arc::new(operations), measured))
}

async fn nothing_here() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

/// Keeps an answer out of caches: what a caller is told is for nobody else, and old the moment after.
async fn private(mut response: Response) -> Response {
    let value = HeaderValue::from_static("private, no-store");
    response.headers_mut().entry(CACHE_CONTROL).or_insert(value);
    response
}
