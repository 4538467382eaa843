//! Under which terms a ledger accepts an export.
//!
//! The ledger alone decides whether a request starts an export, joins one or is refused, in one
//! transaction, so that any number of processes may ask at once.

use std::str::FromStr;
use std::time::Duration;

/// For how long an [`IdempotencyKey`] stands for its first request.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What has to hold for an export to be accepted.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The most exports that wait, of all organisations together.
    pub max_queued: u64,
    /// The most unfinished exports of the organisation.
    pub max_active: u64,
    /// Whether an export that is there already may be the answer; `None` = always start one.
    pub sharing: Option<Sharing>,
    /// The client's name for this request.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Which exports may answer an identical request of the same key. One whose data was not read yet
/// always may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Also a completed one whose data was read less than this ago.
    pub reuse: Option<Duration>,
}

/// A client's name for a request, of which there shall be one outcome: 1 to 255 visible ASCII
/// characters. It stands for that request for [`IDEMPOTENCY_KEPT`], or until its export is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const LONGEST: usize = 255;

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 255 visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let is_one = (1..=Self::LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidIdempotencyKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idempotency_keys_are_visible_ascii_of_some_length() {
        let longest = "x".repeat(255);
        for text in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", &longest] {
            let key: IdempotencyKey = text.parse().expect("a key");
            assert_eq!(key.as_str(), text);
        }
        for text in ["", "a b", "é", "a\n", "\u{7f}", &format!("{longest}x")] {
            assert_eq!(
                text.parse::<IdempotencyKey>(),
                Err(InvalidIdempotencyKey),
                "{text}"
            );
        }
    }
}
