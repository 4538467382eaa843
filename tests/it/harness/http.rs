//! A client that keeps everything of an answer, and the checks that every answer of a kind must pass.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::eventually;

pub(crate) const EXPORT: &str = "/v1/reports/query/export";
pub(crate) const QUERY: &str = "/v1/reports/query";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const RESPOND_ASYNC: (&str, &str) = ("prefer", "respond-async");
/// Asks for an export of its own, whatever others there are.
pub(crate) const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");

/// Every member that an Export has, whatever its status.
const EXPORT_MEMBERS: [&str; 27] = [
    "id",
    "status",
    "dataset",
    "format",
    "filename",
    "content_type",
    "query",
    "created_at",
    "started_at",
    "materialized_at",
    "as_of",
    "source_updated_at",
    "freshness_lag_ms",
    "completed_at",
    "expires_at",
    "attempt",
    "max_attempts",
    "progress",
    "row_count",
    "limit_reached",
    "size_bytes",
    "checksum",
    "download",
    "error",
    "retry_after_seconds",
    "self_url",
    "allowed_actions",
];

/// A client of one server. Follows no redirect, so that tests see them.
pub(crate) struct Http {
    client: Client,
    base: String,
    authorization: Option<String>,
    may_share: bool,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(120))
            .build()
            .expect("a client without TLS always builds");
        Self::over(client, base)
    }

    /// The same over a client that reaches servers in its own way.
    pub(crate) fn over(client: Client, base: &str) -> Self {
        Self {
            client,
            base: base.to_owned(),
            authorization: None,
            may_share: false,
        }
    }

    /// The same client, whose exports may be those of earlier requests. Otherwise each request starts
    /// one of its own, so that a test says what it is about.
    pub(crate) fn sharing(self) -> Self {
        Self {
            may_share: true,
            ..self
        }
    }

    /// The same client with an API key, which it shows to this server alone.
    pub(crate) fn with_key(self, key: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {key}")),
            ..self
        }
    }

    /// Sends a request to a path of this server or to any URL.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let sent = self.try_send(method, target, headers, body).await;
        sent.unwrap_or_else(|error| panic!("{method} {target}: no answer: {error:?}"))
    }

    /// As [`send`](Self::send), where a connection may break.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.request(method, target, headers).body(body);
        let response = request.send().await?;
        Ok(Answer {
            request: format!("{method} {target}"),
            path: response.url().path().to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }

    /// A request with the key, if there is one.
    pub(super) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> RequestBuilder {
        let url = match target.strip_prefix('/') {
            Some(_) => format!("{}{target}", self.base),
            None => target.to_owned(),
        };
        let url = Url::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let mut all = HeaderMap::new();
        let key = self.authorization.as_deref();
        let key = key.filter(|_| url.as_str().starts_with(&self.base));
        for (name, value) in headers
            .iter()
            .copied()
            .chain(key.map(|key| ("authorization", key)))
        {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            all.append(name, value);
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client.request(method, url).headers(all)
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers, "").await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Answer {
        self.post_with(target, &[], body).await
    }

    pub(crate) async fn post_with(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut all = vec![JSON];
        if !self.may_share {
            all.push(NO_CACHE);
        }
        all.extend_from_slice(headers);
        self.send("POST", target, &all, body.to_string()).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        self.send("POST", &format!("/v1/exports/{id}/cancel"), &[], "")
            .await
    }

    pub(crate) async fn delete(&self, id: &str) -> Answer {
        self.send("DELETE", &format!("/v1/exports/{id}"), &[], "")
            .await
    }

    /// Everything that can be asked of an export, answered as if there were none.
    pub(crate) async fn knows_nothing_of(&self, id: &str) {
        let one = format!("/v1/exports/{id}");
        for answer in [
            self.get(&one).await,
            self.get(&format!("{one}/download")).await,
            self.get(&format!("{one}/events")).await,
            self.cancel(id).await,
            self.delete(id).await,
        ] {
            answer.problem(404, "export_not_found");
        }
        let list = self.get("/v1/exports?limit=100").await.expect(200).json();
        let mut listed = list["data"].as_array().into_iter().flatten();
        assert!(listed.all(|export| export["id"] != id), "{list:#}");
    }

    /// Asks for an export as a job and returns it as accepted.
    pub(crate) async fn submit(&self, body: &Value) -> Value {
        self.post_with(EXPORT, &[RESPOND_ASYNC], body)
            .await
            .accepted()
    }

    pub(crate) async fn export(&self, id: &str) -> Value {
        self.get(&format!("/v1/exports/{id}")).await.export()
    }

    /// The export once it has this status; fails as soon as it has ended in another one.
    pub(crate) async fn export_once(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), async || {
            let export = self.export(id).await;
            let now = export["status"].as_str().expect("a status");
            if now == status {
                return Some(export);
            }
            let ended = matches!(now, "completed" | "failed" | "cancelled" | "expired");
            assert!(!ended, "expected {status}, got {export:#}");
            None
        })
        .await
    }

    pub(crate) async fn completed(&self, id: &str) -> Value {
        self.export_once(id, "completed").await
    }

    /// The file of a completed export, checked against its receipt.
    pub(crate) async fn file_of(&self, export: &Value) -> Vec<u8> {
        let url = text(&export["download"]["url"]);
        let file = self.get(&url).await.expect(200).body;
        assert_eq!(export["size_bytes"], file.len(), "the size of the receipt");
        assert_eq!(export["checksum"]["algorithm"], "sha256");
        assert_eq!(
            export["checksum"]["value"],
            sha256(&file),
            "the checksum of the receipt"
        );
        file
    }

    /// Asks for an export as a job and returns it and its file once it is completed.
    pub(crate) async fn exported(&self, body: &Value) -> (Value, Vec<u8>) {
        let accepted = self.submit(body).await;
        let export = self.completed(&text(&accepted["id"])).await;
        let file = self.file_of(&export).await;
        (export, file)
    }
}

/// One answer, complete.
pub(crate) struct Answer {
    request: String,
    path: String,
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

/// What holds for every Export.
#[track_caller]
pub(super) fn check_export(export: &Value) {
    let members = export
        .as_object()
        .unwrap_or_else(|| panic!("an Export, got {export}"));
    let status = text(&export["status"]);
    let finished = matches!(
        status.as_str(),
        "completed" | "failed" | "cancelled" | "expired"
    );
    for member in EXPORT_MEMBERS {
        let optional = finished && member == "retry_after_seconds";
        assert!(
            optional || members.contains_key(member),
            "no {member} in {export:#}"
        );
    }
    let id = text(&export["id"]);
    let digits = id.strip_prefix("export_").unwrap_or_default();
    let lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(
        digits.len() == 32 && digits.chars().all(lower_hex),
        "the id {id}"
    );
    assert_eq!(&digits[12..13], "7", "a UUIDv7 in the id {id}");
    instant(&export["created_at"]);
    assert!(
        text(&export["self_url"]).ends_with(&format!("/v1/exports/{id}")),
        "{export:#}"
    );
    assert!(export["query"]["dataset"].is_string(), "{export:#}");
    let attempt = export["attempt"].as_u64().unwrap_or_default();
    let most = export["max_attempts"].as_u64().unwrap_or_default();
    assert!((1..=most).contains(&attempt), "{export:#}");
    let actions = export["allowed_actions"].as_array().into_iter().flatten();
    for action in actions.clone() {
        for member in ["rel", "href", "method"] {
            assert!(
                action[member].is_string(),
                "{member} of an action in {export:#}"
            );
        }
    }
    for (rel, expected) in [
        ("self", true),
        ("delete", true),
        ("cancel", !finished),
        ("events", !finished),
        ("download", status == "completed"),
    ] {
        let allowed = actions.clone().any(|action| action["rel"] == rel);
        assert_eq!(allowed, expected, "{rel} in {export:#}");
    }
    assert_eq!(export["as_of"], export["materialized_at"], "{export:#}");
    assert_eq!(export["error"].is_null(), status != "failed", "{export:#}");
    if finished {
        instant(&export["completed_at"]);
    }
    if matches!(status.as_str(), "completed" | "expired") {
        for member in [
            "started_at",
            "completed_at",
            "materialized_at",
            "expires_at",
        ] {
            instant(&export[member]);
        }
        assert!(
            export["row_count"].is_u64() && export["size_bytes"].is_u64(),
            "{export:#}"
        );
        assert!(export["limit_reached"].is_boolean(), "{export:#}");
    } else {
        for member in ["row_count", "size_bytes", "checksum", "limit_reached"] {
            assert!(export[member].is_null(), "{member} of {export:#}");
        }
    }
    if status == "completed" {
        let link_until = instant(&export["download"]["expires_at"]);
        assert!(link_until <= instant(&export["expires_at"]), "{export:#}");
    } else {
        assert!(export["download"].is_null(), "{export:#}");
    }
    if !finished {
        let hint = export["retry_after_seconds"].as_u64().unwrap_or_default();
        assert!(hint >= 1, "a polling hint in {export:#}");
        assert!(
            export["completed_at"].is_null() && export["error"].is_null(),
            "{export:#}"
        );
    }
}

/// The text of a JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => panic!("expected a string, got {value}"),
    }
}

/// An instant on the wire: RFC 3339 in UTC with `Z`.
#[track_caller]
pub(crate) fn instant(value: &Value) -> chrono::DateTime<chrono::Utc> {
    let text = text(value);
    assert!(text.ends_with('Z'), "UTC with Z: {text}");
    match chrono::DateTime::parse_from_rfc3339(&text) {
        Ok(instant) => instant.to_utc(),
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where and what each fault of a problem is.
#[track_caller]
pub(crate) fn faults(problem: &Value) -> BTreeSet<(String, String)> {
    let errors = problem["errors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("errors in {problem:#}"));
    let of = |fault: &Value| (text(&fault["pointer"]), text(&fault["code"]));
    errors.iter().map(of).collect()
}
