//! `GET /v1/exports/{id}`, at once or after a long poll.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::answer::download::Downloads;
use crate::auth::Authenticated;
use crate::clock;
use crate::headers::PREFERENCE_APPLIED;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::Problem;
use crate::request::export_path::{ExportPath, not_found};
use crate::request::prefer::Preferences;
use crate::retry_after;
use crate::views::etag;
use crate::views::export::{ExportView, shown_status};
use crate::watcher::long_poll::LongPoll;

problems!(GetProblems: ExportNotFound, DatabaseUnavailable, Internal);

/// Read an export
///
/// The state of an export. A completed one has a presigned `download` URL, made anew by each read.
/// `Prefer: wait=N` holds the answer until the export has ended, or N seconds. Where as many clients wait as the process
/// has places for (`limits.max_waiting`), the answer comes at once, without `Preference-Applied`.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}",
    tag = "Exports",
    params(
        ExportPath,
        ("Prefer" = Option<String>, Header, description = "`wait=N`, N up to 30 (RFC 7240).", example = "wait=30"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (
            status = 200,
            description = "The export.",
            body = ExportView,
            headers(
                ("ETag" = String, description = "Weak; changes with the export's state, not with links or times that pass."),
                ("Retry-After" = u64, description = "Seconds until it is worth another look; absent once it ended."),
                ("Preference-Applied" = String, description = "The preferences that were honoured."),
            )
        ),
        (
            status = 304,
            description = "The export is as the client knows it; its link is not renewed.",
            headers(
                ("ETag" = String, description = "As before."),
                ("Retry-After" = u64, description = "Seconds until it is worth another look; absent once it ended."),
                ("Preference-Applied" = String, description = "The preferences that were honoured."),
            )
        ),
        GetProblems,
    )
)]
pub(crate) async fn get_export(
    State(long_poll): State<Arc<LongPoll>>,
    State(downloads): State<Arc<Downloads>>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let preferences = Preferences::of(&headers).only_wait();
    let (preferences, held) = long_poll.hold(&caller.org, preferences);
    let of_operation = |problem: Problem| problem.of_operation(operation::GET_EXPORT);
    let export = long_poll
        .read(&caller, id, held.as_ref())
        .await
        .map_err(of_operation)?
        .ok_or_else(not_found)?;

    let now = clock::now();
    let tag = etag::of_export(&export, shown_status(&export, now));
    let retry_after = retry_after::poll(&export, now);
    let mut response = if etag::matches(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let view = downloads.view(&caller, &links, export).await;
        let mut view = view.map_err(of_operation)?;
        // One number for both, though the view was made a moment later.
        view.retry_after_seconds = retry_after;
        Json(view).into_response()
    };
    let answered = response.headers_mut();
    answered.insert(ETAG, etag::header(&tag));
    if let Some(seconds) = retry_after {
        answered.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(applied) = preferences.applied() {
        answered.insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}
