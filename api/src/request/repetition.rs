//! Whether a request may be answered by what was done before: `Idempotency-Key` (IETF draft of that
//! name) and `Cache-Control: no-cache` (RFC 9111).

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use waybill_ledger::{IdempotencyKey, InvalidIdempotencyKey};

use crate::headers::IDEMPOTENCY_KEY;
use crate::problem::Problem;

/// What a client says about repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repetition {
    /// The name of this request, of which there shall be one outcome.
    pub(crate) key: Option<IdempotencyKey>,
    /// Whether an export that is there already may be the answer.
    pub(crate) may_share: bool,
}

impl Repetition {
    /// Reads a request's headers.
    ///
    /// # Errors
    /// When the key is none, or there are two.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(key), None) => {
                let key = key.to_str().ok().and_then(|key| key.parse().ok());
                Some(key.ok_or_else(|| refused(&InvalidIdempotencyKey.to_string()))?)
            }
            (Some(_), Some(_)) => return Err(refused("stands more than once")),
        };
        let no_cache = headers
            .get_all(CACHE_CONTROL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"));
        Ok(Self {
            key,
            may_share: !no_cache,
        })
    }
}

fn refused(detail: &str) -> Problem {
    Problem::invalid(vec![Problem::header(IDEMPOTENCY_KEY.as_str(), detail)])
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::problem::ProblemCode;

    fn of(pairs: &[(&'static str, &'static str)]) -> Result<Repetition, ProblemCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Repetition::of(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn one_key_is_one() {
        let repetition = of(&[("idempotency-key", "\"a-1\"")]).expect("a key");
        assert_eq!(repetition.key, "\"a-1\"".parse().ok());
        assert_eq!(of(&[]).expect("none").key, None);
        for wrong in [
            &[("idempotency-key", "")][..],
            &[("idempotency-key", "a b")],
            &[("idempotency-key", "a"), ("idempotency-key", "a")],
        ] {
            assert_eq!(of(wrong), Err(ProblemCode::InvalidRequest), "{wrong:?}");
        }
    }

    #[test]
    fn no_cache_forbids_sharing_and_nothing_else_does() {
        for (value, may_share) in [
            ("no-cache", false),
            ("max-age=0, No-Cache", false),
            ("no-store", true),
            ("no-cache-at-all", true),
        ] {
            let repetition = of(&[("cache-control", value)]).expect("no key");
            assert_eq!(repetition.may_share, may_share, "{value}");
        }
        assert!(of(&[]).expect("no key").may_share);
    }
}
