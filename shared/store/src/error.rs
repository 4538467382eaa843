//! Why a store did not do what was asked, and whether it is worth another try.
//!
//! Owns the reading of the client's errors. What follows from one is for others to say.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use waybill_telemetry::chain;

use crate::limits::{MAX_PARTS, PART_BYTES};

/// Why the store did not do what was asked. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The store does not answer, is overloaded or has an inner fault; worth another try.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store asks for a pause.
    #[error("the store asks to come back in {secs} s: {0}", secs = .1.as_secs())]
    Busy(String, Duration),
    /// The store takes nothing from this process as both are set up: a missing bucket, a key that it
    /// does not know (any more), a wrong signature or region, no permission. Somebody has to mend that,
    /// and then the same request goes through.
    #[error("the store refuses this process as it is set up: {0}")]
    Misconfigured(String),
    /// The store refuses this one request: it does not know the upload's parts, for example.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The file would need more than [`MAX_PARTS`] parts.
    #[error("the file is larger than {MAX_PARTS} parts of {PART_BYTES} bytes")]
    TooLarge,
}

/// Codes below 500 that pass: the load, the clock, credentials that are just being renewed, bytes that
/// changed or were lost on their way.
const TRANSIENT_CODES: [&str; 10] = [
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "OperationAborted",
    "ExpiredToken",
    "TooManyRequests",
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
    // An upload that is gone went with its bucket, or somebody cleared the store.
    "NoSuchUpload",
];

/// Statuses of a store that would refuse the next request as well: its address, the keys or the bucket
/// are wrong. Nothing that a client of this program says reaches a store but the size of a file.
const MISCONFIGURED_STATUSES: [u16; 6] = [301, 307, 401, 403, 404, 405];

/// Codes that say the same with a status of 400.
const MISCONFIGURED_CODES: [&str; 10] = [
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidRequest",
    "InvalidStorageClass",
    "InvalidToken",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
];

/// Said where neither the settings nor the machine have keys.
const NO_KEYS: &str = "there are no keys for it: set storage.access_key_id and storage.secret_access_key, or give this \
    process AWS's own (environment, profile, role of the machine)";

/// Returns what a failed request means: only an answer can be a refusal.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where an error is mapped"
)]
pub(super) fn bucket_error<E>(error: SdkError<E, HttpResponse>) -> BucketError
where
    E: StdError + ProvideErrorMetadata + Debug + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        return match has_no_keys(&error) {
            true => BucketError::Misconfigured(NO_KEYS.to_owned()),
            false => BucketError::Unavailable(chain(&error)),
        };
    };
    let status = answer.raw().status().as_u16();
    let code = answer.err().code().unwrap_or("an error without a code");
    let message = answer.err().message();
    let message = message.map_or(String::new(), |message| format!(": {message}"));
    let text = format!("{code} (HTTP {status}){message}");
    if code == "EntityTooLarge" {
        return BucketError::TooLarge;
    }
    if status < 500 && status != 429 && !TRANSIENT_CODES.contains(&code) {
        return if MISCONFIGURED_STATUSES.contains(&status) || MISCONFIGURED_CODES.contains(&code) {
            BucketError::Misconfigured(text)
        } else {
            BucketError::Refused(text)
        };
    }
    match answer.raw().headers().get("retry-after").and_then(pause) {
        Some(pause) => BucketError::Busy(text, pause),
        None => BucketError::Unavailable(text),
    }
}

/// Returns whether a request could not even be signed.
fn has_no_keys(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(CredentialsError::CredentialsNotLoaded(_)) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns what a `Retry-After` (RFC 9110, section 10.2.3) asks for: seconds, or a date.
#[expect(
    clippy::disallowed_methods,
    reason = "a date in an answer is a wait from now on"
)]
fn pause(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        assert_eq!(pause("17"), Some(Duration::from_secs(17)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let asked = pause(&soon).expect("a date");
        assert!(asked > Duration::from_secs(60) && asked <= Duration::from_secs(100));
        for nothing in ["", "-1", "1.5", "soon"] {
            assert_eq!(pause(nothing), None, "{nothing}");
        }
    }
}
