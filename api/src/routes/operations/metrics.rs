//! `GET /metrics`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use waybill_ledger::metrics::ProcessMetrics;
use waybill_telemetry::metrics::MEDIA_TYPE;

use crate::openapi::problems;
use crate::problem::Problem;

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
        (CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, exposition).into_response())
}
