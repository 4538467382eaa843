//! `GET /openapi.json`.

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::openapi::problems;
use crate::openapi::published::Published;

problems!(DocumentProblems: Internal);

/// This document
///
/// OpenAPI 3.1, made from the code that serves it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operations",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object), DocumentProblems)
)]
pub(crate) async fn get_openapi(Extension(published): Extension<Published>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, published.json()).into_response()
}
