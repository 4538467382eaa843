//! Reports as clients see them, and the shapes of requests for the OpenAPI document.

use std::string::FromUtf8Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_report::column::Column;
use waybill_report::encode::Format;
use waybill_report::query::{ReportPlan, ReportQuery};

use crate::answer::attempt::InlineReport;

/// A small report as a file in an envelope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportExport {
    format: Format,
    /// A name for the file.
    filename: String,
    /// The file's media type.
    content_type: &'static str,
    /// The file; with `format: json` a `ReportResult`, serialised.
    content: String,
    /// `base64` where the file is no text; absent where `content` is the file as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    content_encoding: Option<&'static str>,
    /// The instant of the database snapshot that was read.
    as_of: DateTime<Utc>,
    /// The same as `as_of`.
    #[schema(required = false)]
    materialized_at: DateTime<Utc>,
    /// The newest source row of the dataset in that snapshot; absent when that is unknown or slow to find.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source_updated_at: Option<DateTime<Utc>>,
    /// Milliseconds from `source_updated_at` to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    freshness_lag_ms: Option<i64>,
    /// Data rows, the header not counted.
    #[schema(required = false)]
    row_count: u64,
    /// Whether `row_count` equals the query's limit, so that rows may have been left out.
    #[schema(required = false)]
    limit_reached: bool,
}

impl ReportExport {
    /// Puts a small report into an envelope.
    ///
    /// # Errors
    /// A file of a text format that is no text.
    pub(crate) fn new(plan: &ReportPlan, report: InlineReport) -> Result<Self, FromUtf8Error> {
        let format = plan.format().spec();
        let (content, content_encoding) = json_string(report.content, format.is_text)?;
        let summary = report.summary;
        Ok(Self {
            format: plan.format(),
            filename: plan.filename().to_owned(),
            content_type: format.media_type,
            content,
            content_encoding,
            as_of: summary.as_of,
            materialized_at: summary.as_of,
            source_updated_at: summary.source_updated_at,
            freshness_lag_ms: summary.freshness_lag_ms,
            row_count: summary.row_count,
            limit_reached: summary.limit_reached,
        })
    }
}

/// Makes a file a JSON string, and says as what it is encoded there where it is no text.
fn json_string(
    file: Bytes,
    is_text: bool,
) -> Result<(String, Option<&'static str>), FromUtf8Error> {
    Ok(match is_text {
        true => (String::from_utf8(file.into())?, None),
        false => (STANDARD.encode(&file), Some("base64")),
    })
}

/// The rows of a report.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the JSON encoder writes it; this is its shape for the document"
)]
pub(crate) struct ReportResult {
    /// The instant of the database snapshot that was read.
    as_of: DateTime<Utc>,
    /// Dimensions, then measures, in the order of the request.
    columns: Vec<Column>,
    /// One object for each row, with a member for each column. Decimals are numbers with every digit;
    /// NaN and infinities are null.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<()>,
    /// Whether there are as many rows as the limit allows, so that some may have been left out.
    limit_reached: bool,
    /// Milliseconds from the newest source row to the answer; absent when unknown.
    #[schema(nullable = false)]
    freshness_lag_ms: Option<i64>,
}

/// A query and what to make of it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "requests are read fault by fault; this is their shape for the document"
)]
pub(crate) struct ExportReportQueryRequest {
    query: ReportQuery,
    /// The file's format; `csv` when absent.
    #[schema(nullable = false)]
    format: Option<Format>,
    /// No options yet; an empty object or none.
    #[schema(nullable = false, value_type = Option<Object>)]
    options: Option<()>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_is_told_in_base64() {
        let file = Bytes::from_static(b"PAR1\x00\xff");
        let told = json_string(file.clone(), false).expect("any bytes");
        assert_eq!(told, ("UEFSMQD/".to_owned(), Some("base64")));
        assert!(json_string(file, true).is_err());
        let text = json_string(Bytes::from_static("é,ü\n".as_bytes()), true).expect("a text");
        assert_eq!(text, ("é,ü\n".to_owned(), None));
    }
}
