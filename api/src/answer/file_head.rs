//! What a file is, without the file: the answer to a HEAD of a download.
//!
//! Made of the export's receipt alone, so it costs the store nothing and a link is not given away for it. A
//! library of Python or Java that asks this way before it downloads would otherwise be sent to a link that is
//! signed for GET, and be refused there.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue};
use waybill_ledger::export::{Export, Receipt};

use crate::problem::Problem;

/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The head of an export's published file.
///
/// # Errors
/// When the export cannot have been recorded by this program.
pub(crate) fn file_head(export: &Export, receipt: &Receipt) -> Result<Response, Problem> {
    let text = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    let digest = bytes_of_hex(&receipt.sha256)
        .ok_or_else(|| Problem::internal(format!("{}: its checksum is no SHA-256", export.id)))?;
    let headers = [
        (CONTENT_LENGTH, HeaderValue::from(receipt.size_bytes)),
        (
            CONTENT_TYPE,
            HeaderValue::from_static(export.format.content_type_header()),
        ),
        (
            CONTENT_DISPOSITION,
            text(format!("attachment; filename=\"{}\"", export.filename))?,
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

fn bytes_of_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_a_sha_256_is_read() {
        let bytes = bytes_of_hex(&"0fA9".repeat(16)).expect("32 bytes");
        assert_eq!(bytes.len(), 32);
        assert_eq!(bytes[..2], [0x0f, 0xa9]);
        for wrong in ["", "0f", &"0g".repeat(32), &"0f".repeat(33)] {
            assert_eq!(bytes_of_hex(wrong), None, "{wrong}");
        }
    }
}
