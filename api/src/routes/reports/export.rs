//! `POST /v1/reports/query/export`: at once where the result is small, else as a job.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use waybill_report::encode::Format;
use waybill_report::query::ReportRequest;

use crate::admission::Admitted;
use crate::admission::planner::Planner;
use crate::answer::attempt::Attempt;
use crate::answer::inline::{Asked, InlineAnswers, bare, enveloped};
use crate::answer::job::Jobs;
use crate::auth::Authenticated;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::Problem;
use crate::request::accept::acceptable;
use crate::request::json_body::JsonBytes;
use crate::request::prefer::Preferences;
use crate::request::repetition::Repetition;
use crate::views::export::ExportView;
use crate::views::report::{ExportReportQueryRequest, ReportExport};

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
            body = ReportExport,
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
    State(planner): State<Arc<Planner>>,
    State(inline): State<Arc<InlineAnswers>>,
    State(jobs): State<Arc<Jobs>>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let answer = async {
        let plan = planner.plan(&caller, &body, ReportRequest::export).await?;
        // The envelope first: it is what is meant where both are wanted alike.
        let envelope = Format::Json.content_type();
        let chosen = acceptable(&headers, &[envelope, plan.format().content_type()])?;
        let preferences = Preferences::of(&headers);
        let repetition = Repetition::of(&headers)?;
        let job = jobs.job(&caller, &links, &plan, preferences, repetition);
        if let Some(answer) = job.answered_before().await? {
            return Ok(answer);
        }

        let respond_async = preferences.respond_async;
        let estimate = inline.estimate(&plan, respond_async).await?;
        let admission = &inline.admission;
        let admitted = admission.admit(&caller.org, respond_async, estimate);
        if let Admitted::Inline(slot) = admitted.await? {
            let asked = Asked {
                caller: &caller,
                body: &body,
                read: ReportRequest::export,
            };
            match inline.export(slot, asked, &plan).await? {
                Attempt::Small(report) if chosen == envelope => return enveloped(&plan, report),
                Attempt::Small(report) => return bare(&plan, report),
                Attempt::Outgrew(bound) => {
                    tracing::debug!(?bound, "a result outgrew what is answered at once");
                }
            }
        }
        job.enqueue(estimate, plan.limit()).await
    };
    answer
        .await
        .map_err(|problem: Problem| problem.of_operation(operation::EXPORT_REPORT_QUERY))
}
