//! One answer, complete, and the checks that every answer of a kind must pass.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::export::check_export;
use super::values::{instant, text};

/// One answer, complete.
pub(crate) struct Answer {
    pub(super) request: String,
    pub(super) path: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(2_000).collect();
        writeln!(f, "{} -> {}", self.request, self.status)?;
        writeln!(f, "{:?}", self.headers)?;
        f.write_str(&shown)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a header of ASCII"))
    }

    /// The header's value; fails when there is none.
    #[track_caller]
    pub(crate) fn has_header(&self, name: &str) -> &str {
        match self.header(name) {
            Some(value) => value,
            None => panic!("no header {name} in {self:?}"),
        }
    }

    /// The media type, without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        let full = self.header("content-type").unwrap_or_default();
        full.split(';').next().unwrap_or_default().trim()
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    /// A 200 that is a `ReportExport`.
    #[track_caller]
    pub(crate) fn report_export(self) -> Value {
        let answer = self.expect(200);
        assert_eq!(answer.media_type(), "application/json", "{answer:?}");
        let report = answer.json();
        for member in ["format", "filename", "content_type", "content"] {
            assert!(report[member].is_string(), "{member} in {report:#}");
        }
        instant(&report["as_of"]);
        assert_eq!(report["as_of"], report["materialized_at"], "{report:#}");
        assert!(report["row_count"].is_u64(), "{report:#}");
        assert!(report["limit_reached"].is_boolean(), "{report:#}");
        report
    }

    /// The bytes of the content of a 200 that is a `ReportExport`.
    #[track_caller]
    pub(crate) fn content(self) -> String {
        text(&self.report_export()["content"])
    }

    /// A 200 that is an Export, with all of its members.
    #[track_caller]
    pub(crate) fn export(self) -> Value {
        let answer = self.expect(200);
        let export = answer.json();
        check_export(&export);
        export
    }

    /// A 202: the job, with the headers that say where it is and when to look.
    #[track_caller]
    pub(crate) fn accepted(self) -> Value {
        let answer = self.expect(202);
        assert_eq!(answer.media_type(), "application/json", "{answer:?}");
        let export = answer.json();
        check_export(&export);
        let location = answer.has_header("location");
        assert!(
            location.ends_with(&format!("/v1/exports/{}", text(&export["id"]))),
            "Location of {answer:?}"
        );
        let retry_after = answer.has_header("retry-after");
        let retry_after: u64 = retry_after.parse().expect("Retry-After in seconds");
        // A waiting request may see the job's end; then there is nothing to come back for.
        let hint = export["retry_after_seconds"].as_u64();
        assert_eq!(hint.unwrap_or(0), retry_after, "{answer:?}");
        let unfinished = ["queued", "running"]
            .iter()
            .any(|status| export["status"] == *status);
        assert_eq!(hint.is_some(), unfinished, "{answer:?}");
        export
    }

    /// A problem document with everything that each of them has.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        let problem = self.any_problem();
        assert_eq!(problem["status"], status, "{problem:#}");
        assert_eq!(problem["code"], code, "{problem:#}");
        problem
    }

    /// As [`problem`](Self::problem), whatever its status and code.
    #[track_caller]
    pub(crate) fn any_problem(self) -> Value {
        assert!(self.status >= 400, "expected a problem, got {self:?}");
        assert_eq!(self.media_type(), "application/problem+json", "{self:?}");
        assert!(!self.has_header("x-request-id").is_empty(), "{self:?}");
        let problem = self.json();
        let title = problem["title"].as_str().unwrap_or_default();
        assert!(!title.trim().is_empty(), "a title in {self:?}");
        assert_eq!(problem["status"], self.status, "{self:?}");
        let code = problem["code"].as_str().unwrap_or_default();
        let snake_case = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            !code.is_empty() && code.chars().all(snake_case),
            "a code in {self:?}"
        );
        let page = problem["type"].as_str().unwrap_or_default();
        assert!(
            page.ends_with(&format!("/problems/{code}")),
            "a type in {self:?}"
        );
        assert_eq!(problem["instance"], self.path, "{self:?}");
        for fault in problem["errors"].as_array().into_iter().flatten() {
            let pointer = fault["pointer"].as_str();
            let pointer = pointer.unwrap_or_else(|| panic!("a pointer in {fault} of {self:?}"));
            assert!(pointer.is_empty() || pointer.starts_with('/'), "{self:?}");
            assert!(
                fault["code"].is_string() && fault["detail"].is_string(),
                "{self:?}"
            );
        }
        for action in problem["allowed_actions"].as_array().into_iter().flatten() {
            assert!(action["rel"].is_string(), "{self:?}");
        }
        for internal in ["SELECT ", "sqlite", "panicked", "rusqlite", ".rs:"] {
            assert!(
                !self.text().contains(internal),
                "internals ({internal}) in {self:?}"
            );
        }
        problem
    }

    /// A 429 or 503 that says when to come back, twice and alike.
    #[track_caller]
    pub(crate) fn come_back_later(self) -> (String, u64) {
        let header: u64 = match self.has_header("retry-after").parse() {
            Ok(seconds) => seconds,
            Err(error) => panic!("Retry-After: {error} in {self:?}"),
        };
        let problem = self.any_problem();
        assert_eq!(problem["retry_after_seconds"], header, "{problem:#}");
        assert!((1..=330).contains(&header), "{problem:#}");
        let later = problem["allowed_actions"]
            .as_array()
            .and_then(|actions| actions.iter().find(|action| action["rel"] == "retry-later"));
        let later = later.unwrap_or_else(|| panic!("a retry-later in {problem:#}"));
        assert!(later["operation_id"].is_string(), "{problem:#}");
        (text(&problem["code"]), header)
    }
}

/// Where and what each fault of a problem is.
#[track_caller]
pub(crate) fn faults(problem: &Value) -> BTreeSet<(String, String)> {
    let errors = problem["errors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("errors in {problem:#}"));
    let of = |fault: &Value| (text(&fault["pointer"]), text(&fault["code"]));
    errors.iter().map(of).collect()
}
