//! The boundary to the client: names a request, writes every problem out, logs once.
//!
//! Inside it a problem is a value; here it becomes a document with the request's path and id, and its
//! cause goes to the log. It chooses neither a status nor a text. Whatever is logged on the way carries the
//! fields of the [request's span](request_span).
//!
//! The request id stays by hand: tower-http's takes over whatever a client sent, of any length.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, Entry, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};
use tracing::Instrument as _;
use uuid::Uuid;
use waybill_telemetry::chain;

use super::request_span;
use crate::headers::REQUEST_ID;
use crate::problem::Problem;

/// The longest id that is taken over from a client, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;
/// The most bytes of a path that are logged: more than any route has.
const MAX_LOGGED_PATH_BYTES: usize = 512;

/// Has a request answered, see the module.
pub(crate) async fn boundary(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    hide_credentials(request.headers_mut());
    let request_id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request_id.to_str().unwrap_or_default().to_owned();
    let span = request_span::begin(&id);

    let mut response = next.run(request).instrument(span.clone()).await;
    let problem = problem_of(&mut response);
    {
        let _entered = span.enter();
        log(&method, &path, &response, problem.as_deref(), began);
    }
    if let Some(problem) = problem {
        response = written(&problem, response.headers(), &method, &path, &id);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Makes sure that a library which prints headers does not print these.
fn hide_credentials(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut credentials) = headers.entry(AUTHORIZATION) {
        for value in credentials.iter_mut() {
            value.set_sensitive(true);
        }
    }
}

/// Returns the client's id if it is one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers
        .get(REQUEST_ID)
        .filter(sane)
        .cloned()
        .unwrap_or_else(|| {
            HeaderValue::try_from(Uuid::now_v7().to_string())
                .unwrap_or_else(|_| HeaderValue::from_static("none"))
        })
}

/// Returns the problem that an answer stands for; made up for one that a library gave.
fn problem_of(response: &mut Response) -> Option<Arc<Problem>> {
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        return Some(problem);
    }
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        .then(|| Arc::new(Problem::of_status(status)))
}

/// Returns the answer with the problem's document in it; other headers of the answer stay.
fn written(
    problem: &Problem,
    answered: &HeaderMap,
    method: &Method,
    path: &str,
    request_id: &str,
) -> Response {
    let mut written = problem.document(path, request_id).into_response();
    written.extensions_mut().insert(problem.code());
    for (name, value) in answered {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            written.headers_mut().append(name, value.clone());
        }
    }
    if *method == Method::HEAD {
        // The headers of a GET, without its body.
        let (mut parts, body) = written.into_parts();
        let length = axum::body::HttpBody::size_hint(&body).exact();
        if let Some(length) = length {
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        return Response::from_parts(parts, Body::empty());
    }
    written
}

fn log(method: &Method, path: &str, answer: &Response, problem: Option<&Problem>, began: Instant) {
    let status = answer.status().as_u16();
    // A number that JSON has; more of them than it holds is the age of the universe.
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let path = &path[..path.floor_char_boundary(MAX_LOGGED_PATH_BYTES)];
    let Some(problem) = problem else {
        if path.contains("/v1/") {
            tracing::info!(%method, path, status, milliseconds, "request answered");
        } else {
            // Probes come every few seconds.
            tracing::debug!(%method, path, status, milliseconds, "request answered");
        }
        return;
    };
    let code = problem.code().name();
    let cause = problem.cause().map(|error| chain(error));
    let cause = cause.as_deref();
    if answer.status() == http::StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%method, path, status, code, cause, milliseconds, "request failed");
    } else if answer.status().is_server_error() {
        tracing::warn!(%method, path, status, code, cause, milliseconds, "request could not be served");
    } else if answer.status() == http::StatusCode::TOO_MANY_REQUESTS {
        // They come in crowds and are counted; writing them down would cost more than the refusal.
        tracing::debug!(%method, path, status, code, cause, milliseconds, "request refused");
    } else {
        tracing::info!(%method, path, status, code, cause, milliseconds, "request refused");
    }
}
