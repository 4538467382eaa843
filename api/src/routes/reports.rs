//! What can be asked, and asking it: at once, or as a job where the result is not small.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderMap, HeaderValue};
use waybill_report::caller::Caller;
use waybill_report::encode::Format;
use waybill_report::query::{Fault, FaultCode, Rejection, ReportPlan, ReportQuery, ReportRequest};
use waybill_report::size::Oversize;

use crate::admission::planner;
use crate::admission::{Admitted, Busy};
use crate::answer::attempt::{self, Attempt, Bounds, InlineError, InlineReport, Outgrown};
use crate::answer::job::Job;
use crate::auth::Authenticated;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::accept::Accept;
use crate::request::json_body::JsonBytes;
use crate::request::prefer::Preferences;
use crate::request::repetition::Repetition;
use crate::retry_after;
use crate::state::ApiState;
use crate::views::export::ExportView;
use crate::views::report::{ExportReportQueryRequest, ReportCatalog, ReportExport, ReportResult};

/// The header in which an answer lists the preferences that it honoured (RFC 7240).
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// What a bare file says of itself, as a `ReportExport` does in members of the same names.
const AS_OF: HeaderName = HeaderName::from_static("waybill-as-of");
const ROW_COUNT: HeaderName = HeaderName::from_static("waybill-row-count");
const LIMIT_REACHED: HeaderName = HeaderName::from_static("waybill-limit-reached");

problems!(CatalogProblems: DatabaseUnavailable, Internal);

/// What can be asked
///
/// Lists the datasets that the caller may use, with their columns and the operators of each filter field.
#[utoipa::path(
    get,
    path = "/v1/reports/catalog",
    tag = "Reports",
    responses(
        (status = 200, description = "The datasets, sorted by name.", body = ReportCatalog),
        CatalogProblems,
    )
)]
pub(crate) async fn get_report_catalog(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
) -> Json<ReportCatalog> {
    Json(ReportCatalog::of(&state.catalog, &caller))
}

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
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, Problem> {
    query(&state, &caller, &links, &headers, &body)
        .await
        .map_err(|problem| problem.of_operation(operation::RUN_REPORT_QUERY))
}

async fn query(
    state: &ApiState,
    caller: &Caller,
    links: &Links,
    headers: &HeaderMap,
    JsonBytes(body): &JsonBytes,
) -> Result<Response, Problem> {
    acceptable(headers, &[Format::Json.content_type()])?;
    let plan = planner::plan(state, caller, body, ReportRequest::query).await?;

    let bounds = Bounds::of_query(&state.inline, &state.exports);
    let slot = state
        .admission
        .slot(&caller.org)
        .await
        .map_err(overloaded)?;
    let attempt = attempt::attempt(&state.sources, &plan, bounds);
    let attempt = state.metrics.inline.counted(attempt).await?;
    drop(slot);
    still_allowed(state, caller, body, ReportRequest::query).await?;

    match attempt {
        Attempt::Small(report) => {
            let json = HeaderValue::from_static(Format::Json.content_type_header());
            Ok(([(CONTENT_TYPE, json)], report.content).into_response())
        }
        Attempt::Outgrew(Outgrown::Time) => Err(query_timeout(state, links)),
        Attempt::Outgrew(Outgrown::Cell(oversize))
            // Where the size is unknown, it is more than the limit.
            if oversize.size.unwrap_or(oversize.limit as u64)
                > state.exports.max_cell_bytes as u64 =>
        {
            let oversize = Oversize {
                limit: state.exports.max_cell_bytes,
                ..oversize
            };
            Err(Problem::new(ProblemCode::CellTooLarge, oversize.advice()))
        }
        Attempt::Outgrew(Outgrown::Bytes | Outgrown::Cell(_) | Outgrown::Rows) => {
            let detail = format!(
                "the rows are more than the {} bytes that are answered at once: lower the limit, or export the query",
                state.inline.max_bytes
            );
            let fault = Fault::new("/limit", FaultCode::InvalidLimit, detail);
            let export = links
                .export_again()
                .hint("An export takes a result of any size.");
            Err(Problem::invalid(vec![fault]).allow(export))
        }
    }
}

problems!(ExportQueryProblems:
    InvalidRequest, InvalidQuery, Forbidden, NotAcceptable, RequestTimeout, PayloadTooLarge,
    UnsupportedMediaType, IdempotencyKeyReused, TooManyActiveExports, QueueFull, Overloaded,
    QueryTimeout, QueryFailed, ValueUnrepresentable, SourceConflict, SourceLimit,
    DatabaseUnavailable, Internal);

/// Export a query
///
/// Answers a small result at once with the file: in an envelope (`ReportExport`), or bare when `Accept`
/// prefers the file's own type, such as `text/csv`. Small is what stays within `inline.max_rows`,
/// `inline.max_bytes` and `inline.timeout_seconds` (10,000 rows, 1 MiB and 2 s by default).
///
/// Every other result becomes a job, an Export: the answer is a 202 whose `Location` is to be polled
/// until its `status` is `completed`. `Prefer: respond-async` asks for a job whatever the size. With
/// `Prefer: wait=N` the 202 comes as soon as the job ended, or after N seconds (30 at most), or at once
/// where as many clients wait as the process has places for; `Preference-Applied` tells.
///
/// Work is not done twice. A request that is sent again with its `Idempotency-Key` within 24 hours gets
/// the export of the first one. A request that is identical to that of an unfinished export whose data was
/// not read yet gets that export, and where the operator allows it (`exports.reuse_seconds`) one that was
/// completed a moment ago. None of it reaches beyond the API key that asks. `Cache-Control: no-cache`
/// starts an export of its own.
#[utoipa::path(
    post,
    path = "/v1/reports/query/export",
    tag = "Reports",
    params(
        ("Prefer" = Option<String>, Header, description = "`respond-async`, `wait=N` (N up to 30), or both, separated by a comma (RFC 7240).", example = "respond-async, wait=10"),
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this request, 1 to 255 visible ASCII characters, such as a UUID. It binds once an export is accepted.", example = "7d3f0c52-6f7e-4b1f-9a57-2a8a0f2f2f10"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: no export that is there already may be the answer."),
    ),
    request_body(
        content = ExportReportQueryRequest,
        example = json!({
            "format": "csv",
            "query": {
                "dataset": "sessions",
                "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
                "dimensions": ["status"],
                "measures": ["session_count", "avg_duration_ms"],
                "filters": [{"field": "status", "op": "neq", "value": "cancelled"}],
                "order_by": [{"measure": "session_count", "direction": "desc"}],
                "limit": 100
            }
        })
    ),
    responses(
        (
            status = 200,
            description = "The result is small: the file in an envelope, or the bare file.",
            content((ReportExport = "application/json"), (String = "text/csv")),
            headers(
                ("Content-Disposition" = String, description = "The file's name, on a bare file."),
                ("Waybill-As-Of" = String, description = "`as_of`, on a bare file."),
                ("Waybill-Row-Count" = u64, description = "`row_count`, on a bare file."),
                ("Waybill-Limit-Reached" = bool, description = "`limit_reached`, on a bare file."),
                ("Vary" = String, description = "`Accept`."),
            )
        ),
        (
            status = 202,
            description = "The result is made by a job.",
            body = ExportView,
            headers(
                ("Location" = String, description = "Where the job is."),
                ("Retry-After" = u64, description = "Seconds until it is worth a look; 0 when the job ended already."),
                ("Preference-Applied" = String, description = "The preferences that were honoured."),
                ("Idempotent-Replayed" = bool, description = "`true` when this is the export of an earlier request with the same `Idempotency-Key`."),
            )
        ),
        ExportQueryProblems,
    )
)]
pub(crate) async fn export_report_query(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, Problem> {
    export(&state, &caller, &links, &headers, &body)
        .await
        .map_err(|problem| problem.of_operation(operation::EXPORT_REPORT_QUERY))
}

async fn export(
    state: &ApiState,
    caller: &Caller,
    links: &Links,
    headers: &HeaderMap,
    JsonBytes(body): &JsonBytes,
) -> Result<Response, Problem> {
    let plan = planner::plan(state, caller, body, ReportRequest::export).await?;
    // The envelope first: it is what is meant where both are wanted alike.
    let envelope = Format::Json.content_type();
    let chosen = acceptable(headers, &[envelope, plan.format().content_type()])?;
    let preferences = Preferences::of(headers);
    let repetition = Repetition::of(headers)?;
    let job = Job::new(state, caller, links, &plan, preferences, repetition);
    if let Some(answer) = job.answered_before().await? {
        return Ok(answer);
    }

    let estimate = state
        .admission
        .estimate(&state.sources, &plan, preferences.respond_async)
        .await
        .map_err(InlineError::from)?;
    let admitted = state
        .admission
        .admit(&caller.org, preferences.respond_async, estimate)
        .await;
    if let Admitted::Inline(slot) = admitted.map_err(overloaded)? {
        let bounds = Bounds::of_export(&state.inline, &state.exports);
        let attempt = attempt::attempt(&state.sources, &plan, bounds);
        let attempt = state.metrics.inline.counted(attempt).await?;
        drop(slot);
        still_allowed(state, caller, body, ReportRequest::export).await?;
        match attempt {
            Attempt::Small(report) if chosen == envelope => return enveloped(&plan, report),
            Attempt::Small(report) => return bare(&plan, report),
            Attempt::Outgrew(bound) => {
                tracing::debug!(?bound, "a result outgrew what is answered at once");
            }
        }
    }
    job.enqueue(estimate, plan.limit()).await
}

/// Reading may have taken its time. What was read is told to whoever may ask for it now.
async fn still_allowed(
    state: &ApiState,
    caller: &Caller,
    body: &Bytes,
    read: fn(&[u8]) -> Result<ReportRequest, Rejection>,
) -> Result<(), Problem> {
    let current = state.authenticator.current(caller).await?;
    if current == *caller {
        return Ok(());
    }
    if current.org != caller.org {
        return Err(Problem::unauthorized());
    }
    planner::plan(state, &current, body, read).await?;
    Ok(())
}

fn enveloped(plan: &ReportPlan, report: InlineReport) -> Result<Response, Problem> {
    let vary = [(VARY, HeaderValue::from_static("accept"))];
    let export = ReportExport::new(plan, report).map_err(Problem::internal)?;
    Ok((vary, Json(export)).into_response())
}

fn bare(plan: &ReportPlan, report: InlineReport) -> Result<Response, Problem> {
    let text = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    let content_type = HeaderValue::from_static(plan.format().content_type_header());
    let summary = report.summary;
    let as_of = summary
        .as_of
        .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let headers = [
        (CONTENT_TYPE, content_type),
        (VARY, HeaderValue::from_static("accept")),
        (
            CONTENT_DISPOSITION,
            text(format!("attachment; filename=\"{}\"", plan.filename()))?,
        ),
        (AS_OF, text(as_of)?),
        (ROW_COUNT, HeaderValue::from(summary.row_count)),
        (LIMIT_REACHED, text(summary.limit_reached.to_string())?),
    ];
    Ok((headers, report.content).into_response())
}

pub(crate) fn acceptable<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, Problem> {
    Accept::of(headers).choose(offered).ok_or_else(|| {
        let detail = format!("This can be answered as {}.", offered.join(" or "));
        Problem::new(ProblemCode::NotAcceptable, detail)
    })
}

pub(crate) fn overloaded(busy: Busy) -> Problem {
    let detail = "Every place for reports that are answered at once is taken.";
    Problem::new(ProblemCode::Overloaded, detail).retry_after(busy.retry_after_seconds)
}

fn query_timeout(state: &ApiState, links: &Links) -> Problem {
    let detail = format!(
        "The query took longer than {} s and was stopped.",
        state.inline.timeout_seconds
    );
    let export = links
        .export_again()
        .hint("Send the same query as the member query: an export has the time that it needs.");
    // The same query may well be fast once the database is less busy, and then a timeout has passed.
    Problem::new(ProblemCode::QueryTimeout, detail)
        .retry_after(retry_after::spread(state.inline.timeout()))
        .allow(export)
}
