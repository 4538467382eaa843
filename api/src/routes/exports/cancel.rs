//! `POST /v1/exports/{id}/cancel`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use waybill_ledger::export::Export;
use waybill_ledger::{Cancel, Intake};

use crate::auth::Authenticated;
use crate::clock;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::export_path::{ExportPath, not_found};
use crate::views::export::{ExportView, actions, downloadable, retry, shown_status};

problems!(CancelProblems: ExportNotFound, ExportAlreadyFinished, DatabaseUnavailable, Internal);

/// Cancel an export
///
/// Stops an export that is queued or running for good: its query ends on the database, and nothing of its
/// file remains. The export itself stays, as `cancelled`, until it is deleted. Cancelling a cancelled
/// export changes nothing. The request has no body.
#[utoipa::path(
    post,
    path = "/v1/exports/{id}/cancel",
    tag = "Exports",
    params(ExportPath),
    responses(
        (status = 200, description = "The export, `cancelled` now or since an earlier request.", body = ExportView),
        CancelProblems,
    )
)]
pub(crate) async fn cancel_export(
    State(ledger): State<Arc<dyn Intake>>,
    Authenticated(caller): Authenticated,
    links: Links,
    ExportPath(id): ExportPath,
) -> Result<Json<ExportView>, Problem> {
    let cancel = ledger
        .cancel(&caller.scope(), id)
        .await
        .map_err(|error| Problem::from(error).of_operation(operation::CANCEL_EXPORT))?
        .ok_or_else(not_found)?;
    match cancel {
        Cancel::Cancelled(export) => Ok(Json(ExportView::new(*export, clock::now(), &links, None))),
        Cancel::Finished(export) => Err(finished(&export, &links)),
    }
}

/// Says why there is nothing to cancel.
fn finished(export: &Export, links: &Links) -> Problem {
    let now = clock::now();
    let detail = format!("The export is {}.", shown_status(export, now).name());
    let problem = actions(export, now, links).into_iter().fold(
        Problem::new(ProblemCode::ExportAlreadyFinished, detail),
        Problem::allow,
    );
    if downloadable(export, now).is_some() {
        problem
    } else {
        retry(export, links)
            .into_iter()
            .fold(problem, Problem::allow)
    }
}
