//! `Prefer` (RFC 7240): `respond-async` and `wait`. What is not understood is ignored, as it says. Read by hand:
//! no crate has the header.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::headers::PREFER;

/// The longest that a request is held, in seconds.
pub(crate) const MAX_WAIT_SECONDS: u64 = 30;

/// What a client would like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// A job, whatever the size of the result.
    pub(crate) respond_async: bool,
    /// Seconds for which an answer about an unfinished job may be held, 1 to 30.
    wait: Option<u64>,
}

impl Preferences {
    /// Reads a request's headers. Of a preference that is stated twice the first counts.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut preferences = Self::default();
        let mut wait_stated = false;
        let stated = headers
            .get_all(PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for preference in stated {
            // Parameters of a preference follow a semicolon; ours have none.
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "respond-async" if value.is_empty() => preferences.respond_async = true,
                "wait" if !wait_stated => {
                    wait_stated = true;
                    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                    // More digits than a number has are more than the longest wait.
                    let seconds = digits.then(|| value.parse().unwrap_or(u64::MAX));
                    preferences.wait = seconds
                        .filter(|seconds| *seconds > 0)
                        .map(|seconds| seconds.min(MAX_WAIT_SECONDS));
                }
                _ => {}
            }
        }
        preferences
    }

    /// Returns for how long an answer about an unfinished job may be held.
    pub(crate) fn wait(self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// Returns the `Preference-Applied` of an answer that honoured all of this; `None` for none.
    pub(crate) fn applied(self) -> Option<HeaderValue> {
        let wait = self.wait.map(|seconds| format!("wait={seconds}"));
        let respond_async = self.respond_async.then(|| "respond-async".to_owned());
        let applied: Vec<String> = respond_async.into_iter().chain(wait).collect();
        if applied.is_empty() {
            return None;
        }
        HeaderValue::try_from(applied.join(", ")).ok()
    }

    /// Returns all but the wait, for which there may be no place.
    pub(crate) fn without_wait(self) -> Self {
        Self { wait: None, ..self }
    }

    /// Returns only the wait, for an operation to which nothing else applies.
    pub(crate) fn only_wait(self) -> Self {
        Self {
            respond_async: false,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Preferences {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_static(value));
        }
        Preferences::of(&headers)
    }

    fn preferences(respond_async: bool, wait: Option<u64>) -> Preferences {
        Preferences {
            respond_async,
            wait,
        }
    }

    #[test]
    fn both_are_read_however_they_are_written() {
        for values in [
            &["respond-async, wait=10"][..],
            &["wait=10", "respond-async"],
            &["Respond-Async; foo=bar , WAIT = \"10\""],
            &["handling=lenient, respond-async=\"\", wait=10; x, wait=20"],
        ] {
            assert_eq!(of(values), preferences(true, Some(10)), "{values:?}");
        }
    }

    #[test]
    fn a_wait_is_clamped_and_nonsense_is_ignored() {
        assert_eq!(of(&["wait=31"]), preferences(false, Some(30)));
        assert_eq!(
            of(&["wait=99999999999999999999999"]),
            preferences(false, Some(30))
        );
        for nothing in [
            "wait=0",
            "wait=-1",
            "wait=ten",
            "wait",
            "wait=",
            "wait=+1",
            "",
            "respond-async=no",
        ] {
            assert_eq!(of(&[nothing]), preferences(false, None), "{nothing}");
        }
    }

    #[test]
    fn what_was_applied_is_said_once() {
        let both = of(&["wait=60, respond-async"]);
        assert_eq!(both.applied().expect("something"), "respond-async, wait=30");
        assert_eq!(both.only_wait().applied().expect("something"), "wait=30");
        assert_eq!(of(&["wait=0"]).applied(), None);
    }
}
