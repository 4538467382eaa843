//! A client that keeps everything of an answer.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use serde_json::Value;

use super::answer::Answer;
use super::eventually;
use super::values::{sha256, text};

pub(crate) const EXPORT: &str = "/v1/reports/query/export";
pub(crate) const QUERY: &str = "/v1/reports/query";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const RESPOND_ASYNC: (&str, &str) = ("prefer", "respond-async");

/// Asks for an export of its own, whatever others there are.
pub(crate) const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");

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
