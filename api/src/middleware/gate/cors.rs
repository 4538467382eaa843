//! Pages of other origins that may ask (CORS): what a browser has to be told so that it lets them.
//!
//! No credentials but the `Authorization` header: cookies mean nothing here. The same lists serve the API and
//! the store.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request};

/// Methods that a page may use.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";
/// Headers that a page may send, beside those that any may.
const REQUEST_HEADERS: &str = "authorization, cache-control, content-type, idempotency-key, if-match, if-modified-since, if-none-match, if-range, last-event-id, prefer, range, x-request-id";
/// Headers of answers that a page may read, beside those that any may.
const EXPOSED: &str = "accept-ranges, allow, content-disposition, content-length, content-range, etag, idempotent-replayed, location, preference-applied, repr-digest, retry-after, waybill-as-of, waybill-limit-reached, waybill-row-count, www-authenticate, x-request-id";
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// What the page is told that sent a request.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Whether answers depend on the page at all.
    varies: bool,
    /// The page's origin, if it is let in.
    origin: Option<HeaderValue>,
    is_preflight: bool,
}

impl Cors {
    /// Reads a request; `allowed` says whether its page is let in, `varies` whether any page might be.
    pub(super) fn of<B>(request: &Request<B>, varies: bool, allowed: bool) -> Self {
        let headers = request.headers();
        Self {
            varies,
            origin: headers.get(ORIGIN).filter(|_| allowed).cloned(),
            is_preflight: *request.method() == Method::OPTIONS
                && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        }
    }

    /// Returns whether the request only asks what the page may do, which [`grant`](Self::grant) answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.is_preflight && self.origin.is_some()
    }

    /// Says in the headers of an answer what the page may do and read.
    pub fn grant(&self, answer: &mut HeaderMap) {
        if self.varies {
            answer.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &self.origin else {
            return;
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.is_preflight {
            let methods = HeaderValue::from_static(METHODS);
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            let headers = HeaderValue::from_static(REQUEST_HEADERS);
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        } else {
            let exposed = HeaderValue::from_static(EXPOSED);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}
