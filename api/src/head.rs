//! The head of a request: of bounded size, before anything is made of it.
//!
//! Where a head is larger than [`LARGEST_HEAD`] the library that reads it answers by itself, without a
//! document; in between, the answer says what is wrong.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;

use crate::problem::{Problem, ProblemCode};

/// The longest path with its query, in bytes.
pub(crate) const LONGEST_URL: usize = 8 * 1024;
/// The most that the names and values of all headers have together, in bytes.
pub(crate) const LARGEST_HEADERS: usize = 32 * 1024;
/// The most of a head that is read at all, in bytes.
pub(crate) const LARGEST_HEAD: usize = 64 * 1024;

/// Lets no larger head pass.
pub(crate) async fn bounded(request: Request, next: Next) -> Result<Response, Problem> {
    let url = request.uri().path_and_query();
    if url.is_some_and(|url| url.as_str().len() > LONGEST_URL) {
        return Err(Problem::new(
            ProblemCode::UriTooLong,
            format!("Path and query are longer than {LONGEST_URL} bytes."),
        ));
    }
    if size(request.headers()) > LARGEST_HEADERS {
        return Err(Problem::new(
            ProblemCode::HeadersTooLarge,
            format!("The headers have more than {LARGEST_HEADERS} bytes together."),
        ));
    }
    Ok(next.run(request).await)
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
            status(LONGEST_URL, LARGEST_HEADERS).await,
            StatusCode::NO_CONTENT
        );
        assert_eq!(status(LONGEST_URL + 1, 10).await, StatusCode::URI_TOO_LONG);
        assert_eq!(
            status(10, LARGEST_HEADERS + 1).await,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
    }

    #[test]
    fn a_head_that_says_what_is_wrong_with_it_is_read() {
        const { assert!(LONGEST_URL + LARGEST_HEADERS < LARGEST_HEAD) }
    }
}
