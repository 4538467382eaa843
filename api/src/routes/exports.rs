//! Exports that became jobs: one, all of them, and the file.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use http::header::{ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use waybill_ledger::Page;
use waybill_ledger::export::{Export, ExportId, ExportStatus};
use waybill_report::caller::Caller;
use waybill_store::Link;

use crate::answer::file_head::file_head;
use crate::auth::Authenticated;
use crate::links::Links;
use crate::links::action::{Action, operation};
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::export_path::{ExportPath, not_found};
use crate::request::parameters::Parameters;
use crate::request::prefer::Preferences;
use crate::retry_after;
use crate::routes::reports::PREFERENCE_APPLIED;
use crate::state::ApiState;
use crate::views::etag;
use crate::views::export::{ExportList, ExportView, downloadable, retry, shown_status};
use crate::watcher::long_poll::wait;

/// Exports of a page that names no limit.
const PAGE: u32 = 20;
/// The most exports of a page.
const LARGEST_PAGE: u32 = 100;

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
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let preferences = Preferences::of(&headers).only_wait();
    let (preferences, held) = state.waiting.hold(&caller.org, preferences);
    let of_operation = |problem: Problem| problem.of_operation(operation::GET_EXPORT);
    let export = wait(&state, &caller, id, held.as_ref())
        .await
        .map_err(of_operation)?
        .ok_or_else(not_found)?;

    let now = Utc::now();
    let tag = etag::of_export(&export, shown_status(&export, now));
    let retry_after = retry_after::poll(&export, now);
    let mut response = if etag::matches(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let view = presented(&state, &caller, &links, export).await;
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

problems!(ListProblems: InvalidRequest, DatabaseUnavailable, Internal);

/// List exports
///
/// The exports that the caller may see, newest first: an admin's are the organisation's, a viewer's those
/// that its key made. Their `download` is the route that redirects to a
/// presigned URL.
#[utoipa::path(
    get,
    path = "/v1/exports",
    tag = "Exports",
    params(
        ("status" = Option<ExportStatus>, Query, description = "Only exports of this status."),
        ("dataset" = Option<String>, Query, description = "Only exports of this dataset.", example = "sessions"),
        ("limit" = Option<u32>, Query, description = "The most exports of a page: 1 to 100, 20 if absent.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before; absent for the first page. Empty it is an error: after the last page `next_cursor` is null, and who sends that on as an empty text would begin anew.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of exports.", body = ExportList),
        ListProblems,
    )
)]
pub(crate) async fn list_exports(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    RawQuery(query): RawQuery,
) -> Result<Json<ExportList>, Problem> {
    let mut page = page(query.as_deref())?;
    let limit = page.limit as usize;
    // One more than is shown tells whether there is another page.
    page.limit += 1;
    let mut exports = state
        .ledger
        .list(&caller.scope(), &page)
        .await
        .map_err(|error| Problem::from(error).of_operation(operation::LIST_EXPORTS))?;
    let more = exports.len() > limit;
    exports.truncate(limit);
    let next_cursor = exports.last().filter(|_| more).map(|last| cursor(last.id));
    let now = Utc::now();
    let view = |export| ExportView::new(export, now, &links, None);
    Ok(Json(ExportList {
        data: exports.into_iter().map(view).collect(),
        next_cursor,
    }))
}

fn page(query: Option<&str>) -> Result<Page, Problem> {
    let mut parameters = Parameters::read(query, &["status", "dataset", "limit", "cursor"]);
    let statuses = ExportStatus::ALL.map(ExportStatus::name).join(" ");
    let page = Page {
        status: parameters.take(
            "status",
            &format!("expected one of {statuses}"),
            ExportStatus::from_name,
        ),
        dataset: parameters.take("dataset", "expected the name of a dataset", |name| {
            (!name.is_empty()).then(|| name.to_owned())
        }),
        limit: parameters
            .take(
                "limit",
                &format!("expected a whole number from 1 to {LARGEST_PAGE}"),
                page_limit,
            )
            .unwrap_or(PAGE),
        before: parameters.take(
            "cursor",
            "expected the next_cursor of an earlier page",
            before,
        ),
    };
    parameters.finish()?;
    Ok(page)
}

fn page_limit(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|digit| digit.is_ascii_digit());
    let limit = value.parse().ok().filter(|_| digits)?;
    (1..=LARGEST_PAGE).contains(&limit).then_some(limit)
}

/// A cursor is the id before which the next page begins. Clients are told nothing of that.
fn cursor(last: ExportId) -> String {
    last.to_string().replacen("export_", "before_", 1)
}

fn before(cursor: &str) -> Option<ExportId> {
    let id = cursor.strip_prefix("before_")?;
    format!("export_{id}").parse().ok()
}

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
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    method: Method,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let of_operation = |problem: Problem| problem.of_operation(operation::DOWNLOAD_EXPORT);
    let preferences = Preferences::of(&headers).only_wait();
    let (preferences, held) = state.waiting.hold(&caller.org, preferences);
    let export = wait(&state, &caller, id, held.as_ref())
        .await
        .map_err(of_operation)?
        .ok_or_else(not_found)?;
    if method == Method::HEAD
        && let Some(receipt) = downloadable(&export, Utc::now())
    {
        return file_head(&export, receipt);
    }
    let link = link(&state, &caller, &export).await.map_err(of_operation)?;
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

/// Why there is nothing to download.
fn without_file(export: &Export, links: &Links) -> Problem {
    let now = Utc::now();
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

/// An export with a link of its own. Where no link can be made now, it is the route that makes one later.
///
/// # Errors
/// 401 when the caller's key has ended meanwhile.
pub(crate) async fn presented(
    state: &ApiState,
    caller: &Caller,
    links: &Links,
    export: Export,
) -> Result<ExportView, Problem> {
    let link = match link(state, caller, &export).await {
        Ok(link) => link,
        Err(problem) if problem.is_unauthorized() => return Err(problem),
        Err(problem) => {
            tracing::warn!(export_id = %export.id, cause = problem.detail(), "no download link could be made");
            None
        }
    };
    Ok(ExportView::new(export, Utc::now(), links, link))
}

/// A presigned URL for an export that can be downloaded; it never outlives the file. Whoever has it needs
/// no key any more, so the caller's is looked at once more.
async fn link(state: &ApiState, caller: &Caller, export: &Export) -> Result<Option<Link>, Problem> {
    // What the store's clock shows is what the link is judged by.
    let now = state.bucket.now();
    let Some(receipt) = downloadable(export, now) else {
        return Ok(None);
    };
    state.authenticator.current(caller).await?;
    let left = export.expires_at.and_then(|end| (end - now).to_std().ok());
    let valid_for = state
        .exports
        .link()
        .min(left.unwrap_or(state.exports.link()));
    let link = state
        .bucket
        .link(
            &receipt.object_key,
            export.format.content_type_header(),
            &export.filename,
            valid_for,
        )
        .await?;
    Ok(Some(link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let id = ExportId::generate();
        assert_eq!(before(&cursor(id)), Some(id));
        for wrong in [
            "",
            "before_",
            &id.to_string(),
            "before_export_",
            &format!("{}0", cursor(id)),
        ] {
            assert_eq!(before(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn page_limits() {
        assert_eq!((page_limit("1"), page_limit("100")), (Some(1), Some(100)));
        for wrong in ["0", "101", "+5", "-1", "", "1.0", "x"] {
            assert_eq!(page_limit(wrong), None, "{wrong}");
        }
    }
}
