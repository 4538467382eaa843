//! The clock of a store, which may show another time than this machine's, and what it says about the dates
//! of signatures, as S3 does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::header::DATE;
use http::{HeaderValue, Request, StatusCode};
use s3s::HttpResponse;

use super::refusal;

/// How far the date of a signature may be from the clock.
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// See the module. A clone shows the same time.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    seconds_ahead: Arc<AtomicI64>,
}

impl Clock {
    pub(super) fn set(&self, seconds_ahead: i64) {
        self.seconds_ahead.store(seconds_ahead, Ordering::SeqCst);
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.seconds_ahead.load(Ordering::SeqCst))
    }

    /// The refusal of a request whose signature is not of this time.
    pub(super) fn refuses<B>(&self, request: &Request<B>) -> Option<HttpResponse> {
        let now = self.now();
        let query = request.uri().query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(found, _)| *found == name)
        };
        if let Some((_, date)) = parameter("X-Amz-Date") {
            let (_, expires) = parameter("X-Amz-Expires")?;
            let (date, expires) = (instant(date)?, TimeDelta::seconds(expires.parse().ok()?));
            return if date - now > TOLERANCE {
                Some(refusal(
                    StatusCode::FORBIDDEN,
                    "AccessDenied",
                    "Request is not valid yet",
                ))
            } else if now > date + expires {
                Some(refusal(
                    StatusCode::FORBIDDEN,
                    "AccessDenied",
                    "Request has expired",
                ))
            } else {
                None
            };
        }
        let date = request.headers().get("x-amz-date")?.to_str().ok()?;
        let off = (instant(date)? - now).abs();
        (off > TOLERANCE).then(|| {
            let text = "The difference between the request time and the current time is too large.";
            refusal(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", text)
        })
    }

    /// Dates an answer.
    pub(super) fn date(&self, answer: &mut HttpResponse) {
        let date = self.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let date = HeaderValue::try_from(date).expect("a date is a header value");
        answer.headers_mut().insert(DATE, date);
    }
}

/// As signatures have it: `20261125T133000Z`.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok()?;
    Some(instant.and_utc())
}
