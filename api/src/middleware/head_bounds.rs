//! The head of a request: of bounded size and of characters that a path and a query may have, before
//! anything is made of it.
//!
//! Control characters are in no path and no value that anything here has, and some of them a database
//! refuses, NUL first of all; so none gets that far, whatever a route does with its parameters.
//!
//! Where a head is larger than [`MAX_HEAD_BYTES`] the library that reads it answers by itself, without a
//! document; in between, the answer says what is wrong.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use waybill_report::query::{Fault, FaultCode};

use crate::problem::{Problem, ProblemCode};

/// The longest path with its query, in bytes.
pub(crate) const MAX_URL_BYTES: usize = 8 * 1024;
/// The most that the names and values of all headers have together, in bytes.
pub(crate) const MAX_HEADERS_BYTES: usize = 32 * 1024;
/// The most of a head that is read at all, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Lets no larger head pass.
pub(crate) async fn bounded(request: Request, next: Next) -> Result<Response, Problem> {
    let url = request.uri().path_and_query();
    if url.is_some_and(|url| url.as_str().len() > MAX_URL_BYTES) {
        return Err(Problem::new(
            ProblemCode::UriTooLong,
            format!("Path and query are longer than {MAX_URL_BYTES} bytes."),
        ));
    }
    if size(request.headers()) > MAX_HEADERS_BYTES {
        return Err(Problem::new(
            ProblemCode::HeadersTooLarge,
            format!("The headers have more than {MAX_HEADERS_BYTES} bytes together."),
        ));
    }
    let faults = unreadable(request.uri());
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    Ok(next.run(request).await)
}

/// Finds where path and query have control characters.
fn unreadable(uri: &Uri) -> Vec<Fault> {
    const DETAIL: &str = "contains a control character";
    let mut faults = Vec::new();
    if has_control_characters(uri.path()) {
        faults.push(Fault::new("/path", FaultCode::InvalidRequest, DETAIL));
    }
    for pair in uri.query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if has_control_characters(name) {
            faults.push(Problem::parameter(
                "",
                "a parameter's name contains a control character",
            ));
        } else if has_control_characters(value) {
            faults.push(Problem::parameter(name, DETAIL));
        }
    }
    faults
}

/// Returns whether a text has control characters once its percent-encoding is undone.
fn has_control_characters(encoded: &str) -> bool {
    // A path and a query have none that are not encoded.
    if !encoded.contains('%') {
        return false;
    }
    // Broken encoding is left as it is: whoever reads it says what is wrong with it.
    let decoded = percent_decode_str(encoded).decode_utf8_lossy();
    decoded.contains(char::is_control)
}

fn size(headers: &HeaderMap) -> usize {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use http::StatusCode;
    use tower::ServiceExt as _;

    use super::*;

    /// The status that a request with a URL and a header of these lengths gets.
    async fn status(url: usize, header: usize) -> StatusCode {
        let router: Router = Router::new()
            .fallback(async || StatusCode::NO_CONTENT)
            .layer(from_fn(bounded));
        let request = Request::get(format!("/{}", "u".repeat(url - 1)))
            .header("x", "h".repeat(header - 1))
            .body(Body::empty())
            .expect("a request");
        router.oneshot(request).await.expect("infallible").status()
    }

    #[tokio::test]
    async fn heads_pass_up_to_their_bounds() {
        assert_eq!(
            status(MAX_URL_BYTES, MAX_HEADERS_BYTES).await,
            StatusCode::NO_CONTENT
        );
        assert_eq!(
            status(MAX_URL_BYTES + 1, 10).await,
            StatusCode::URI_TOO_LONG
        );
        assert_eq!(
            status(10, MAX_HEADERS_BYTES + 1).await,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
    }

    fn pointers(uri: &'static str) -> Vec<String> {
        let faults = unreadable(&Uri::from_static(uri)).into_iter();
        faults.map(|fault| fault.pointer).collect()
    }

    #[test]
    fn control_characters_are_in_no_head() {
        for sound in [
            "/",
            "/v1/exports?dataset=a%20b&cursor=%C3%A9%F0%9F%92%A9&%7E=%27--",
            "/%",
            "/%zz?%=%0",
            "/%FF%FE?a=%FF",
            "/%2500?a=%2500",
        ] {
            assert!(pointers(sound).is_empty(), "{sound}");
        }
        assert_eq!(pointers("/v1/exports/%00"), ["/path"]);
        assert_eq!(pointers("/a%0Ab/%7f"), ["/path"]);
        assert_eq!(
            pointers("/?a=%00&b=x%1Fy&c=%C2%85&d=1&%00=1&%FF%00"),
            ["a", "b", "c", "", ""].map(|name| format!("/query-parameters/{name}"))
        );
    }

    #[test]
    fn a_head_that_says_what_is_wrong_with_it_is_read() {
        const { assert!(MAX_URL_BYTES + MAX_HEADERS_BYTES < MAX_HEAD_BYTES) }
    }
}
