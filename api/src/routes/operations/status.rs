//! `GET /v1/operations/status`, for operators.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use waybill_config::ExportSettings;
use waybill_ledger::{Intake, OrgActivity};
use waybill_readiness::Readiness;
use waybill_report::caller::{Caller, OrgId, Role};

use crate::auth::Authenticated;
use crate::metrics::ApiMetrics;
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::accept::acceptable;
use crate::views::status::{OrganisationStatus, ProcessStatus, StatusView, table};

/// How long the ledger may take to say what an organisation has going.
const LEDGER_TIMEOUT: Duration = Duration::from_secs(2);

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

problems!(StatusProblems: Forbidden, NotAcceptable, DatabaseUnavailable, Internal);

/// How the service is
///
/// The numbers that an operator looks at first: what waits and how fast it drains in the whole
/// installation, what the process that answers has done since it began, and what the caller's
/// organisation has going. For keys of the role admin. `Accept: text/plain` gets them as a table. What
/// cannot be read at the moment is null; `/metrics` has the same numbers and more.
#[utoipa::path(
    get,
    path = "/v1/operations/status",
    tag = "Operations",
    responses(
        (
            status = 200,
            description = "The numbers.",
            content((StatusView = "application/json"), (String = "text/plain")),
            headers(("Vary" = String, description = "`Accept`."))
        ),
        StatusProblems,
    )
)]
pub(crate) async fn get_operations_status(
    State(readiness): State<Readiness>,
    State(metrics): State<Arc<ApiMetrics>>,
    State(ledger): State<Arc<dyn Intake>>,
    State(settings): State<Arc<ExportSettings>>,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    for_admins(&caller)?;
    let chosen = acceptable(&headers, &[JSON, TEXT])?;
    let (ready, backlog, activity) = tokio::join!(
        readiness.check(),
        metrics.process.backlog(),
        activity(ledger.as_ref(), &caller.org),
    );
    let process = ProcessStatus::of(&metrics, ready);
    let max_active = u64::from(settings.max_active_per_org);
    let organisation = activity.map(|activity| OrganisationStatus::of(activity, max_active));
    let status = StatusView::new(process, backlog, organisation);
    let vary = [(VARY, HeaderValue::from_static("accept"))];
    Ok(if chosen == TEXT {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        (vary, [(CONTENT_TYPE, text)], table::render(&status)).into_response()
    } else {
        (vary, Json(status)).into_response()
    })
}

fn for_admins(caller: &Caller) -> Result<(), Problem> {
    match caller.role {
        Role::Admin => Ok(()),
        Role::Viewer => Err(Problem::new(
            ProblemCode::Forbidden,
            "The status is for API keys of the role admin.",
        )),
    }
}

/// Reads what the organisation has going; `None` while the ledger does not answer, of which the readiness
/// tells the cause.
async fn activity(ledger: &dyn Intake, org: &OrgId) -> Option<OrgActivity> {
    let asked = tokio::time::timeout(LEDGER_TIMEOUT, ledger.activity(org)).await;
    asked.ok()?.ok()
}
