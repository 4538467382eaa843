//! What operators and tools ask: is it alive, is it ready, what can it do.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_readiness::Readiness;
use waybill_telemetry::metrics;

use crate::links::Links;
use crate::openapi::{Published, problems};
use crate::pages;
use crate::problem::Problem;

/// How a process is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

problems!(LiveProblems: Internal);

/// Is the process alive
///
/// Answers as long as the process serves requests at all, whatever it depends on.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "Operations",
    responses((status = 200, description = "It is.", body = Health), LiveProblems)
)]
pub(crate) async fn livez() -> Json<Health> {
    Json(Health { status: "alive" })
}

problems!(ReadyProblems: DatabaseUnavailable, StorageUnavailable, Internal);

/// Is the service ready
///
/// Asks the database of exports, the object store and the sources. A 503 names in `missing` what does not
/// answer: `database`, `migrations`, `storage`, `source …`, or `catalog` until that was held against its
/// sources. `clock (…)` says that this machine's clock and the store's differ by more than 5 minutes.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses((status = 200, description = "It is.", body = Health), ReadyProblems)
)]
pub(crate) async fn readyz(State(readiness): State<Readiness>) -> Result<Json<Health>, Problem> {
    readiness.check().await?;
    Ok(Json(Health { status: "ready" }))
}

problems!(MetricsProblems: Internal);

/// What this process counts and measures
///
/// For Prometheus, in the OpenMetrics text format. Needs no key: names and numbers, nothing of clients or
/// their data. What cannot be read at the moment is left out.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operations",
    responses((status = 200, description = "The metrics.", content_type = "application/openmetrics-text", body = String), MetricsProblems)
)]
pub(crate) async fn get_metrics(
    State(metrics): State<ProcessMetrics>,
) -> Result<Response, Problem> {
    let exposition = metrics.exposition().await.map_err(Problem::internal)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, exposition).into_response())
}

problems!(DocumentProblems: Internal);

/// This document
///
/// OpenAPI 3.1, made from the code that serves it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operations",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object), DocumentProblems)
)]
pub(crate) async fn get_openapi(Extension(published): Extension<Published>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, published.json()).into_response()
}

/// This document for people
///
/// The same as a page, without scripts.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), DocumentProblems)
)]
pub(crate) async fn get_docs(
    Extension(published): Extension<Published>,
    links: Links,
) -> Result<Response, Problem> {
    pages::page("Waybill API", |out| published.page(links.base(), out)).map_err(Problem::internal)
}

/// Where a visitor begins
///
/// A page for people that leads to the documentation.
#[utoipa::path(
    get,
    path = "/",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), DocumentProblems)
)]
pub(crate) async fn get_start_page() -> Result<Response, Problem> {
    // Where the links lead is told in relation to this page, wherever a proxy put it.
    let page = |out: &mut String| {
        out.push_str(
            "<div class=\"frame narrow\"><main><h1>Waybill</h1>\
             <p>Exports as a service: small reports at once, large ones as a job with a link.</p><table>\
             <tr><th><a href=\"docs\">docs</a></th><td>Every route, for people</td></tr>\
             <tr><th><a href=\"openapi.json\">openapi.json</a></th><td>The same for programs</td></tr>\
             <tr><th><a href=\"problems\">problems</a></th><td>What can go wrong, and what to do</td></tr>\
             <tr><th><a href=\"readyz\">readyz</a></th><td>Whether the service can do its work now</td></tr>\
             </table></main></div>",
        );
    };
    pages::page("Waybill", page).map_err(Problem::internal)
}
