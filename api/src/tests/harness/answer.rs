//! An answer, read to its end.

use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("bodies are whole").to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        let document = self.json();
        let code = document["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("no problem: {document:#}"));
        (self.status.as_u16(), code.to_owned())
    }

    /// Whether it is about the request's head, which operations do not document one by one.
    pub(super) fn is_about_the_head(&self) -> bool {
        if self.body.is_empty() {
            return matches!(self.status.as_u16(), 400 | 403 | 421);
        }
        let of_the_head = |(pointer, _): &(String, String)| {
            pointer == "/headers/host"
                || pointer == "/path"
                || pointer.starts_with("/query-parameters/")
        };
        let code = if self.status.is_client_error() {
            self.problem().1
        } else {
            String::new()
        };
        match code.as_str() {
            "cross_site" | "misdirected_request" | "uri_too_long" | "headers_too_large" => true,
            "invalid_request" => {
                let faults = self.faults();
                !faults.is_empty() && faults.iter().all(of_the_head)
            }
            _ => false,
        }
    }

    /// The pointers of its faults with their codes.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let json = self.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let faults = json["errors"].as_array().cloned().unwrap_or_default();
        faults
            .iter()
            .map(|fault| (text(&fault["pointer"]), text(&fault["code"])))
            .collect()
    }

    /// Fails when a problem is not as the contract says.
    pub(super) fn check_problem(&self, method: &Method, path: &str) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        if *method == Method::HEAD {
            assert!(self.body.is_empty());
            return;
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["instance"], *path);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        let retry_after = self.header(RETRY_AFTER.as_str());
        let seconds = problem.get("retry_after_seconds").map(Value::to_string);
        assert_eq!(retry_after, seconds.as_deref(), "{problem}");
        for action in problem["allowed_actions"].as_array().into_iter().flatten() {
            assert!(action["rel"].is_string(), "{problem}");
        }
        let text = problem.to_string();
        for internal in ["sqlite", "SELECT", "no such", "panicked", "store.invalid"] {
            assert!(!text.contains(internal), "{internal} in {text}");
        }
    }
}
