//! Every route, on one screen. What a route does is in [`routes`](crate::routes).

use axum::extract::FromRef;
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::{Extension, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waybill_shared::readiness::Readiness;

use crate::boundary::boundary;
use crate::head;
use crate::links::API_PREFIX;
use crate::openapi::{self, Published};
use crate::problem::Problem;
use crate::routes::{endings, exports, following, operations, problems, reports};
use crate::state::ApiState;

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
        .routes(routes!(endings::cancel_export));
    let around = health_routes()
        .routes(routes!(operations::get_openapi))
        .routes(routes!(operations::get_docs));

    let (v1, mut document) = v1.split_for_parts();
    openapi::require_key(&mut document);
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
    Ok((bounded(router).with_state(state), document))
}

/// What a process serves that has no API: a worker's health, and what explains its problems.
pub(crate) fn health(readiness: Readiness) -> Router {
    let (router, _) = health_routes().split_for_parts();
    bounded(router).with_state(readiness)
}

/// The routes that every process has.
fn health_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Readiness: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(problems::explain_problem))
}

/// The same routes, where every refusal is a problem document.
fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(nothing_here)
        .layer(from_fn(head::bounded))
        .layer(from_fn(boundary))
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
