//! Requests to a service, each answer of which is held against the contract and the document.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::answer::Answer;
use super::service::Service;
use crate::headers::REQUEST_ID;

pub(crate) const QUERY: &str = "/v1/reports/query";
pub(crate) const EXPORT: &str = "/v1/reports/query/export";
/// Asks for a job that shares its export with nobody.
pub(crate) const ONE_OF_ITS_OWN: [(&str, &str); 2] =
    [("prefer", "respond-async"), ("cache-control", "no-cache")];

/// A query of every row.
pub(crate) fn rows_query(limit: &Value) -> Value {
    json!({
        "dataset": "session_rows", "time_range": range(), "dimensions": ["session_id"],
        "order_by": [{"dimension": "session_id"}], "limit": limit,
    })
}

/// A query that outlives every bound on its time.
pub(crate) fn endless_query() -> Value {
    json!({
        "dataset": "endless",
        "dimensions": ["i"],
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    })
}

/// A query of a few rows.
pub(crate) fn small_query() -> Value {
    json!({
        "dataset": "sessions", "time_range": range(), "dimensions": ["status"],
        "measures": ["session_count"], "order_by": [{"dimension": "status"}],
    })
}

pub(crate) fn small_export() -> Value {
    json!({ "query": small_query() })
}

pub(crate) fn range() -> Value {
    json!({ "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" })
}

pub(crate) fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .body(Body::empty())
        .expect("a request")
}

impl Service {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path)).await
    }

    /// GETs with more headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = request(Method::GET, path);
        for (name, value) in headers {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(*name, value);
        }
        self.send(request).await
    }

    /// Sends a request without a key to an operation of the document.
    pub(crate) async fn without_key(&self, method: &str, path: &str) -> Answer {
        let method = method.to_uppercase().parse().expect("a method");
        let path = path
            .replace("{id}", "export_0")
            .replace("{code}", "internal");
        self.send(request(method, &path)).await
    }

    /// POSTs JSON with more headers.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::post(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(body.to_string());
        self.send(request.body(body).expect("a request")).await
    }

    /// Sends a request, to this service unless it says otherwise, and holds the answer against the
    /// contract and the document.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers
            .entry(HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await;
        let answer = Answer::read(response.expect("a router is infallible")).await;
        assert!(answer.headers.contains_key(REQUEST_ID), "no request id");
        if answer.status.is_client_error() || answer.status.is_server_error() {
            answer.check_problem(&method, &path);
        }
        self.check_documented(&method, &path, &answer);
        answer
    }
}
