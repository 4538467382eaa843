//! What a file is, without the file: the answer to a HEAD of a download.
//!
//! Made of the export's receipt alone, so it costs the store nothing and a link is not given away for it. A
//! library of Python or Java that asks this way before it downloads would otherwise be sent to a link that is
//! signed for GET, and be refused there.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use waybill_ledger::export::{Export, Receipt};
use waybill_store::attachment;

use crate::headers::REPR_DIGEST;
use crate::problem::Problem;

/// Returns the head of an export's published file.
///
/// # Errors
/// When the export cannot have been recorded by this program.
pub(crate) fn file_head(export: &Export, receipt: &Receipt) -> Result<Response, Problem> {
    let text = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    let mut digest = [0; 32];
    hex::decode_to_slice(&receipt.sha256, &mut digest)
        .map_err(|error| Problem::internal(format!("{}: its checksum: {error}", export.id)))?;
    let headers = [
        (CONTENT_LENGTH, HeaderValue::from(receipt.size_bytes)),
        (
            CONTENT_TYPE,
            HeaderValue::from_static(export.format().content_type_header()),
        ),
        (
            CONTENT_DISPOSITION,
            text(attachment(&export.spec.filename))?,
        ),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (ETAG, text(format!("\"{}\"", receipt.sha256))?),
        (
            REPR_DIGEST,
            text(format!("sha-256=:{}:", BASE64.encode(digest)))?,
        ),
    ];
    Ok(headers.into_response())
}
