//! A row of the exports table, whichever the database, and how it becomes an [`Export`].

use chrono::{DateTime, Utc};
use serde::Serialize;
use waybill_report::caller::OrgId;
use waybill_report::encode::Format;
use waybill_report::spec::ReportSpec;

use crate::accept::Kept;
use crate::db::instant::StoredInstant;
use crate::error::LedgerError;
use crate::export::{
    Export, ExportId, ExportStatus, Failure, FailureCode, Lane, Progress, Receipt,
};
use crate::new_export::NewExport;

/// `T` is what the database keeps instants in.
#[derive(sqlx::FromRow)]
pub(crate) struct ExportRow<T> {
    id: String,
    org_id: String,
    status: String,
    spec: Option<String>,
    query: String,
    format: String,
    filename: String,
    revision: i64,
    epoch: i64,
    failures: i32,
    max_attempts: i32,
    suspect: bool,
    large: bool,
    created_at: T,
    started_at: Option<T>,
    completed_at: Option<T>,
    expires_at: Option<T>,
    materialized_at: Option<T>,
    source_updated_at: Option<T>,
    progress_rows: i64,
    progress_bytes: i64,
    estimated_rows: Option<i64>,
    object_key: Option<String>,
    row_count: Option<i64>,
    limit_reached: Option<bool>,
    size_bytes: Option<i64>,
    sha256: Option<String>,
    failure_code: Option<String>,
    failure_detail: Option<String>,
}

impl<T: StoredInstant> TryFrom<ExportRow<T>> for Export {
    type Error = LedgerError;

    fn try_from(row: ExportRow<T>) -> Result<Self, LedgerError> {
        let spec = spec(row.spec.as_deref(), &row.query, &row.format, row.filename)?;
        let receipt = match (
            row.object_key,
            row.row_count,
            row.limit_reached,
            row.size_bytes,
            row.sha256,
        ) {
            (
                Some(object_key),
                Some(row_count),
                Some(limit_reached),
                Some(size_bytes),
                Some(sha256),
            ) => Some(Receipt {
                object_key,
                row_count: unsigned(row_count),
                limit_reached,
                size_bytes: unsigned(size_bytes),
                sha256,
            }),
            _ => None,
        };
        let failure = match (row.failure_code, row.failure_detail) {
            (Some(code), Some(detail)) => Some(Failure {
                code: FailureCode::from_name(&code)
                    .ok_or_else(|| corrupt("failure_code", &code))?,
                detail,
            }),
            _ => None,
        };
        Ok(Self {
            id: id(&row.id)?,
            org: OrgId::new(row.org_id),
            status: status(&row.status)?,
            spec,
            revision: row.revision,
            epoch: row.epoch,
            failures: row.failures.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            suspect: row.suspect,
            lane: if row.large { Lane::Large } else { Lane::Small },
            created_at: instant(row.created_at)?,
            started_at: row.started_at.map(instant).transpose()?,
            completed_at: row.completed_at.map(instant).transpose()?,
            expires_at: row.expires_at.map(instant).transpose()?,
            materialized_at: row.materialized_at.map(instant).transpose()?,
            source_updated_at: row.source_updated_at.map(instant).transpose()?,
            progress: Progress {
                rows: unsigned(row.progress_rows),
                bytes: unsigned(row.progress_bytes),
                estimated_rows: row.estimated_rows.map(unsigned),
            },
            receipt,
            failure,
        })
    }
}

/// The exports of these rows. What cannot be read, such as what a newer program wrote, is logged and
/// left out.
pub(crate) fn readable<T: StoredInstant>(rows: Vec<ExportRow<T>>) -> Vec<Export> {
    let exports = rows.into_iter().map(Export::try_from);
    exports
        .filter_map(|export| {
            export
                .inspect_err(|error| tracing::error!(%error, "an export cannot be read"))
                .ok()
        })
        .collect()
}

pub(crate) fn revisions(rows: Vec<(String, i64)>) -> Result<Vec<(ExportId, i64)>, LedgerError> {
    rows.into_iter()
        .map(|(text, revision)| Ok((id(&text)?, revision)))
        .collect()
}

/// An export, and the request of an idempotency key that stands for it.
#[derive(sqlx::FromRow)]
pub(crate) struct KeptRow<T> {
    kept_request: String,
    #[sqlx(flatten)]
    export: ExportRow<T>,
}

impl<T: StoredInstant> TryFrom<KeptRow<T>> for Kept {
    type Error = LedgerError;

    fn try_from(row: KeptRow<T>) -> Result<Self, LedgerError> {
        Ok(Self {
            request: row.kept_request,
            export: row.export.try_into()?,
        })
    }
}

pub(crate) fn ids(texts: &[String]) -> Result<Vec<ExportId>, LedgerError> {
    texts.iter().map(|text| id(text)).collect()
}

pub(crate) fn id(text: &str) -> Result<ExportId, LedgerError> {
    text.parse().map_err(|_| corrupt("id", text))
}

pub(crate) fn status(name: &str) -> Result<ExportStatus, LedgerError> {
    ExportStatus::from_name(name).ok_or_else(|| corrupt("status", name))
}

/// What was asked. A row without a spec was written by a program that knows no more than the three parts.
fn spec(
    spec: Option<&str>,
    query: &str,
    format: &str,
    filename: String,
) -> Result<ReportSpec, LedgerError> {
    if let Some(spec) = spec {
        return serde_json::from_str(spec).map_err(|_| corrupt("spec", spec));
    }
    let query = serde_json::from_str(query).map_err(|_| corrupt("query", query))?;
    let format = Format::from_name(format).ok_or_else(|| corrupt("format", format))?;
    Ok(ReportSpec::from_parts(query, format, filename))
}

/// A value as it is stored, JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Corrupt(error.to_string()))
}

/// Some attempts at most: nobody sets more than a hundred.
pub(crate) fn max_attempts(new: &NewExport) -> i32 {
    i32::try_from(new.max_attempts).unwrap_or(i32::MAX)
}

/// Counts are written by `signed` and never negative.
pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn instant(stored: impl StoredInstant) -> Result<DateTime<Utc>, LedgerError> {
    stored
        .utc()
        .map_err(|stored| corrupt("instant", &stored.to_string()))
}

fn corrupt(column: &str, value: &str) -> LedgerError {
    LedgerError::Corrupt(format!("{column} = {value:?}"))
}
