//! `DELETE /v1/exports/{id}`.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use waybill_ledger::Intake;

use crate::auth::Authenticated;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::Problem;
use crate::request::export_path::{ExportPath, not_found};

problems!(DeleteProblems: ExportNotFound, DatabaseUnavailable, Internal);

/// Delete an export
///
/// Removes an export in whatever state: one that is queued or running is stopped first. From the answer
/// on there is no such export. Its file is removed from the store soon after, also when the store does
/// not answer at the moment; links to it end with the file.
#[utoipa::path(
    delete,
    path = "/v1/exports/{id}",
    tag = "Exports",
    params(ExportPath),
    responses(
        (status = 204, description = "It is gone, and it is recorded that its file has to go."),
        DeleteProblems,
    )
)]
pub(crate) async fn delete_export(
    State(ledger): State<Arc<dyn Intake>>,
    Authenticated(caller): Authenticated,
    ExportPath(id): ExportPath,
) -> Result<StatusCode, Problem> {
    let deleted = ledger
        .delete(&caller.scope(), id)
        .await
        .map_err(|error| Problem::from(error).of_operation(operation::DELETE_EXPORT))?;
    if deleted {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}
