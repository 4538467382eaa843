//! `GET /v1/exports/{id}/download`: the way to the file.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use waybill_ledger::export::{Export, ExportStatus};

use crate::answer::download::Downloads;
use crate::answer::file_head::file_head;
use crate::auth::Authenticated;
use crate::clock;
use crate::headers::PREFERENCE_APPLIED;
use crate::links::Links;
use crate::links::action::{Action, operation};
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::export_path::{ExportPath, not_found};
use crate::request::prefer::Preferences;
use crate::retry_after;
use crate::views::export::{downloadable, retry, shown_status};
use crate::watcher::long_poll::LongPoll;

problems!(DownloadProblems: ExportNotFound, ExportNotReady, ExportFailed, ExportExpired, DatabaseUnavailable,
    StorageUnavailable, Internal);

/// Download an export's file
///
/// Redirects to a fresh presigned URL of the object store, which needs no credentials, honours `Range`
/// and names the file. A `HEAD` is a 200 with what the file is: `Content-Length`, `Content-Type`,
/// `Content-Disposition`, `Accept-Ranges`, `ETag` (of its SHA-256) and `Repr-Digest` (RFC 9530).
/// `Prefer: wait=N` holds the answer until the export has ended, or N seconds, as it does when an export
/// is read.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}/download",
    tag = "Exports",
    params(
        ExportPath,
        ("Prefer" = Option<String>, Header, description = "`wait=N`, N up to 30 (RFC 7240).", example = "wait=30"),
    ),
    responses(
        (
            status = 307,
            description = "To the file.",
            headers(
                ("Location" = String, description = "A presigned URL that dies at its expiry."),
                ("Preference-Applied" = String, description = "The preferences that were honoured."),
            )
        ),
        DownloadProblems,
    )
)]
pub(crate) async fn download_export(
    State(long_poll): State<Arc<LongPoll>>,
    State(downloads): State<Arc<Downloads>>,
    Authenticated(caller): Authenticated,
    links: Links,
    method: Method,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let of_operation = |problem: Problem| problem.of_operation(operation::DOWNLOAD_EXPORT);
    let preferences = Preferences::of(&headers).only_wait();
    let (preferences, held) = long_poll.hold(&caller.org, preferences);
    let export = long_poll
        .read(&caller, id, held.as_ref())
        .await
        .map_err(of_operation)?
        .ok_or_else(not_found)?;
    if method == Method::HEAD
        && let Some(receipt) = downloadable(&export, clock::now())
    {
        return file_head(&export, receipt);
    }
    let link = downloads
        .link(&caller, &export)
        .await
        .map_err(of_operation)?;
    let Some(link) = link else {
        let problem = without_file(&export, &links);
        return Err(problem.with_header(PREFERENCE_APPLIED, preferences.applied()));
    };
    let mut location = HeaderValue::try_from(link.url).map_err(Problem::internal)?;
    // Whoever has it has the file: no library is to print it.
    location.set_sensitive(true);
    let found = (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]);
    let mut response = found.into_response();
    if let Some(applied) = preferences.applied() {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Says why there is nothing to download.
fn without_file(export: &Export, links: &Links) -> Problem {
    let now = clock::now();
    let problem = match shown_status(export, now) {
        ExportStatus::Queued | ExportStatus::Running => {
            let detail = format!("The export is {}.", export.status.name());
            let poll = links
                .self_action(export.id)
                .hint("Wait until its status is completed.");
            return Problem::new(ProblemCode::ExportNotReady, detail)
                .retry_after(retry_after::poll(export, now).unwrap_or(1))
                .allow(poll)
                .allow(Action::RetryLater.of(operation::DOWNLOAD_EXPORT));
        }
        ExportStatus::Failed => {
            let why = export
                .failure
                .as_ref()
                .map(|failure| failure.detail.as_str());
            let detail = format!("The export failed. {}", why.unwrap_or_default());
            Problem::new(ProblemCode::ExportFailed, detail.trim_end())
        }
        ExportStatus::Cancelled => {
            Problem::new(ProblemCode::ExportFailed, "The export was cancelled.")
        }
        ExportStatus::Completed | ExportStatus::Expired => Problem::new(
            ProblemCode::ExportExpired,
            "The file was kept as long as it should be, and is gone.",
        ),
    };
    retry(export, links)
        .into_iter()
        .fold(problem.allow(links.self_action(export.id)), Problem::allow)
}
