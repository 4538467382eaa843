//! `POST /v1/reports/query`: at once, or not at all.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use waybill_config::InlineSettings;
use waybill_report::encode::Format;
use waybill_report::query::{Fault, FaultCode, ReportQuery, ReportRequest};
use waybill_report::size::Oversize;

use crate::admission::planner::Planner;
use crate::answer::attempt::{Attempt, InlineReport, Outgrown};
use crate::answer::inline::{Asked, InlineAnswers};
use crate::auth::Authenticated;
use crate::links::Links;
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::accept::acceptable;
use crate::request::json_body::JsonBytes;
use crate::retry_after;
use crate::views::report::ReportResult;

problems!(QueryProblems:
    InvalidRequest, InvalidQuery, CellTooLarge, Forbidden, NotAcceptable, RequestTimeout, PayloadTooLarge,
    UnsupportedMediaType, Overloaded, QueryTimeout, QueryFailed, ValueUnrepresentable, SourceConflict, SourceLimit,
    DatabaseUnavailable, Internal);

/// Answer a query at once
///
/// Runs a query and answers with its rows as JSON: at most `inline.max_rows` of them (10,000 by default),
/// with `limit_reached` true where that or the query's own `limit` cut the result. A query that takes
/// longer than `inline.timeout_seconds` (2 by default) is a 503 `query_timeout`; larger results are
/// what exports are for.
#[utoipa::path(
    post,
    path = "/v1/reports/query",
    tag = "Reports",
    request_body(
        content = ReportQuery,
        example = json!({
            "dataset": "sessions",
            "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
            "dimensions": ["status"],
            "measures": ["session_count", "avg_duration_ms"],
            "order_by": [{"measure": "session_count", "direction": "desc"}]
        })
    ),
    responses(
        (status = 200, description = "The rows.", body = ReportResult),
        QueryProblems,
    )
)]
pub(crate) async fn run_report_query(
    State(planner): State<Arc<Planner>>,
    State(inline): State<Arc<InlineAnswers>>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let answer = async {
        acceptable(&headers, &[Format::Json.content_type()])?;
        let plan = planner.plan(&caller, &body, ReportRequest::query).await?;
        let slot = inline.admission.slot(&caller.org).await?;
        let asked = Asked {
            caller: &caller,
            body: &body,
            read: ReportRequest::query,
        };
        match inline.query(slot, asked, &plan).await? {
            Attempt::Small(report) => Ok(rows(report)),
            Attempt::Outgrew(bound) => Err(outgrown(bound, &inline, &links)),
        }
    };
    answer
        .await
        .map_err(|problem: Problem| problem.of_operation("run_report_query"))
}

fn rows(report: InlineReport) -> Response {
    let json = HeaderValue::from_static(Format::Json.content_type_header());
    ([(CONTENT_TYPE, json)], report.content).into_response()
}

/// Says why a result is not answered at once.
fn outgrown(bound: Outgrown, inline: &InlineAnswers, links: &Links) -> Problem {
    let max_cell_bytes = inline.exports.max_cell_bytes;
    match bound {
        Outgrown::Time => query_timeout(&inline.settings, links),
        Outgrown::Cell(oversize)
            // Where the size is unknown, it is more than the limit.
            if oversize.size.unwrap_or(oversize.limit as u64) > max_cell_bytes as u64 =>
        {
            let oversize = Oversize {
                limit: max_cell_bytes,
                ..oversize
            };
            Problem::new(ProblemCode::CellTooLarge, oversize.advice())
        }
        Outgrown::Bytes | Outgrown::Cell(_) | Outgrown::Rows => {
            let detail = format!(
                "the rows are more than the {} bytes that are answered at once: lower the limit, or export the query",
                inline.settings.max_bytes
            );
            let fault = Fault::new("/limit", FaultCode::InvalidLimit, detail);
            let export = links
                .export_again()
                .hint("An export takes a result of any size.");
            Problem::invalid(vec![fault]).allow(export)
        }
    }
}

fn query_timeout(settings: &InlineSettings, links: &Links) -> Problem {
    let detail = format!(
        "The query took longer than {} s and was stopped.",
        settings.timeout_seconds
    );
    let export = links
        .export_again()
        .hint("Send the same query as the member query: an export has the time that it needs.");
    // The same query may well be fast once the database is less busy, and then a timeout has passed.
    Problem::new(ProblemCode::QueryTimeout, detail)
        .retry_after(retry_after::spread(settings.timeout()))
        .allow(export)
}
