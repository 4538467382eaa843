//! An export as its client sees it: the ledger's record with links, hints and what follows from time.
//!
//! Every member is always there; what is not known is null. It reads nothing but the record and the
//! clock; where a download link comes from is for its caller to say.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_ledger::export::{Export, ExportStatus, FailureCode, Receipt};
use waybill_report::encode::Format;
use waybill_report::freshness::lag_ms;
use waybill_report::query::ReportQuery;
use waybill_store::Link;

use crate::links::Links;
use crate::links::action::AllowedAction;
use crate::problem::document::ErrorResponse;
use crate::retry_after;

/// A report that is made in the background.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportView {
    /// `export_` and 32 hexadecimal digits.
    id: String,
    /// `queued → running → completed | failed | cancelled`; back to `queued` before another attempt;
    /// `completed → expired`.
    pub(crate) status: ExportStatus,
    dataset: String,
    format: Format,
    /// The name under which the file is downloaded.
    filename: String,
    /// The file's media type.
    content_type: &'static str,
    /// The query as it was understood, defaults filled in.
    query: ReportQuery,
    created_at: DateTime<Utc>,
    /// When the newest attempt began.
    #[schema(required = true)]
    started_at: Option<DateTime<Utc>>,
    /// The instant of the database snapshot that is or was read.
    #[schema(required = true)]
    materialized_at: Option<DateTime<Utc>>,
    /// The same as `materialized_at`.
    #[schema(required = true)]
    as_of: Option<DateTime<Utc>>,
    /// The newest source row of the dataset in that snapshot.
    #[schema(required = true)]
    source_updated_at: Option<DateTime<Utc>>,
    /// Milliseconds from `source_updated_at` to now, computed at each read.
    #[schema(required = true)]
    freshness_lag_ms: Option<i64>,
    /// When it ended, in whichever way.
    #[schema(required = true)]
    completed_at: Option<DateTime<Utc>>,
    /// When the file goes.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    /// Failures so far and one, `max_attempts` at most.
    attempt: u32,
    /// Failures after which it is given up.
    max_attempts: u32,
    progress: ExportProgress,
    /// Data rows of the file, the header not counted.
    #[schema(required = true)]
    row_count: Option<u64>,
    /// Whether `row_count` equals the query's limit, so that rows may have been left out.
    #[schema(required = true)]
    limit_reached: Option<bool>,
    /// The file's size.
    #[schema(required = true)]
    size_bytes: Option<u64>,
    /// Of the file's bytes.
    #[schema(required = true)]
    checksum: Option<Checksum>,
    /// Where the file is; null when there is none.
    #[schema(required = true)]
    download: Option<Download>,
    /// Why it failed; null unless it did.
    #[schema(required = true)]
    error: Option<ErrorResponse>,
    /// When to look again, equal to the `Retry-After` header; null once it ended.
    #[schema(required = true)]
    pub(crate) retry_after_seconds: Option<u64>,
    /// Where this export is.
    #[schema(format = "uri")]
    pub(crate) self_url: String,
    /// What can be done with it; `href` and `method` are always there.
    allowed_actions: Vec<AllowedAction>,
}

/// How far the newest attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ExportProgress {
    /// Rows read.
    rows: u64,
    /// Bytes of the file.
    bytes: u64,
    /// Rows that the database expects; null where it has no estimate.
    #[schema(required = true)]
    estimated_rows: Option<u64>,
    /// `rows` of `estimated_rows`, to one decimal; null without an estimate.
    #[schema(required = true, minimum = 0, maximum = 100)]
    percent: Option<f64>,
}

/// A checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Checksum {
    /// Always `sha256` (FIPS 180-4).
    algorithm: &'static str,
    /// In lower-case hexadecimal.
    value: String,
}

/// Where a file can be downloaded. `GET` it without credentials; ranges are honoured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Download {
    /// A presigned URL of the store, or in lists the route that redirects to a fresh one.
    #[schema(format = "uri")]
    url: String,
    /// When the URL stops working.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
}

/// A page of exports, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportList {
    pub(crate) data: Vec<ExportView>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    pub(crate) next_cursor: Option<String>,
}

/// Returns the status as it is shown: a file whose time is over counts as gone, whether or not it was removed.
pub(crate) fn shown_status(export: &Export, now: DateTime<Utc>) -> ExportStatus {
    match export.expires_at {
        Some(expires_at) if export.status == ExportStatus::Completed && expires_at <= now => {
            ExportStatus::Expired
        }
        _ => export.status,
    }
}

/// Returns the published file, as long as it can be downloaded.
pub(crate) fn downloadable(export: &Export, now: DateTime<Utc>) -> Option<&Receipt> {
    (shown_status(export, now) == ExportStatus::Completed)
        .then_some(export.receipt.as_ref())
        .flatten()
}

/// Returns what can be done with an export now.
pub(crate) fn actions(export: &Export, now: DateTime<Utc>, links: &Links) -> Vec<AllowedAction> {
    let id = export.id;
    let mut actions = vec![links.self_action(id)];
    if export.status.is_unfinished() {
        actions.extend([links.cancel_action(id), links.events_action(id)]);
    }
    if downloadable(export, now).is_some() {
        actions.push(links.download_action(id));
    }
    actions.push(links.delete_action(id));
    actions
}

/// Returns how to ask again for what has no file: not at all where nothing but other data can mend it.
pub(crate) fn retry(export: &Export, links: &Links) -> Option<AllowedAction> {
    let code = export.failure.as_ref().map(|failure| failure.code);
    (code != Some(FailureCode::ValueUnrepresentable)).then(|| links.export_again())
}

impl ExportView {
    /// Returns the view of an export now. Without a `link` the download is the route that makes one.
    pub(crate) fn new(
        export: Export,
        now: DateTime<Utc>,
        links: &Links,
        link: Option<Link>,
    ) -> Self {
        let id = export.id;
        let status = shown_status(&export, now);
        let download = downloadable(&export, now).map(|_| match link {
            Some(link) => Download {
                url: link.url,
                expires_at: Some(link.expires_at),
            },
            None => Download {
                url: links.download(id),
                expires_at: export.expires_at,
            },
        });
        let error = export.failure.as_ref().map(|failure| {
            ErrorResponse::of_failure(failure, format!("/v1/exports/{id}"), retry(&export, links))
        });
        let receipt = export.receipt.as_ref();
        Self {
            status,
            content_type: export.format().content_type(),
            as_of: export.materialized_at,
            freshness_lag_ms: export.source_updated_at.map(|updated| lag_ms(updated, now)),
            attempt: export.attempt(),
            max_attempts: export.max_attempts,
            progress: ExportProgress::of(&export),
            row_count: receipt.map(|receipt| receipt.row_count),
            limit_reached: receipt.map(|receipt| receipt.limit_reached),
            size_bytes: receipt.map(|receipt| receipt.size_bytes),
            checksum: receipt.map(|receipt| Checksum {
                algorithm: "sha256",
                value: receipt.sha256.clone(),
            }),
            download,
            error,
            retry_after_seconds: retry_after::poll(&export, now),
            self_url: links.export(id),
            allowed_actions: actions(&export, now, links),
            id: id.to_string(),
            dataset: export.spec.query.dataset.clone(),
            format: export.format(),
            filename: export.spec.filename,
            query: export.spec.query,
            created_at: export.created_at,
            started_at: export.started_at,
            materialized_at: export.materialized_at,
            source_updated_at: export.source_updated_at,
            completed_at: export.completed_at,
            expires_at: export.expires_at,
        }
    }
}

impl ExportProgress {
    fn of(export: &Export) -> Self {
        // An estimate may be too low: only a completed export is wholly done.
        let most = if export.receipt.is_some() {
            100.0
        } else {
            99.9
        };
        let percent = retry_after::done(export).map(|done| {
            let done = if export.receipt.is_some() { 1.0 } else { done };
            ((done * 1_000.0).round() / 10.0).min(most)
        });
        Self {
            rows: export.progress.rows,
            bytes: export.progress.bytes,
            estimated_rows: export.progress.estimated_rows,
            percent,
        }
    }
}
