//! Values of answers: texts, instants, digests.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The text of a JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => panic!("expected a string, got {value}"),
    }
}

/// An instant on the wire: RFC 3339 in UTC with `Z`.
#[track_caller]
pub(crate) fn instant(value: &Value) -> chrono::DateTime<chrono::Utc> {
    let text = text(value);
    assert!(text.ends_with('Z'), "UTC with Z: {text}");
    match chrono::DateTime::parse_from_rfc3339(&text) {
        Ok(instant) => instant.to_utc(),
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
