//! The service as its clients see it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

/// How long one request may take, a long poll included.
const REQUEST: Duration = Duration::from_secs(90);
/// How long an export may take.
const EXPORT: Duration = Duration::from_secs(600);

/// A client with connections of its own, which are kept open.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
}

/// What is read of an export.
#[derive(Debug, Deserialize)]
pub(crate) struct Export {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) row_count: Option<u64>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) download: Option<Download>,
    pub(crate) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) value: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Download {
    pub(crate) url: String,
}

/// What became of the wish for a job.
#[derive(Debug)]
pub(crate) enum Asked {
    Accepted(Export),
    Refused(Refusal),
}

/// What is read of a 429.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) retry_after_seconds: u64,
}

/// What is read of an answer at once.
#[derive(Debug, Deserialize)]
pub(crate) struct ReportExport {
    pub(crate) content: String,
    pub(crate) source_updated_at: Option<DateTime<Utc>>,
}

impl Api {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Self::of(url, HeaderMap::new())
    }

    /// A client that shows this key.
    pub(crate) fn with_key(url: &str, key: &str) -> anyhow::Result<Self> {
        let bearer = HeaderValue::try_from(format!("Bearer {key}"))?;
        Self::of(url, HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
    }

    fn of(url: &str, headers: HeaderMap) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST)
            .default_headers(headers)
            .build()?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks for a job.
    pub(crate) async fn enqueue(&self, request: &Value) -> anyhow::Result<Export> {
        let response = self.ask_for_job(request).await?;
        let response = expect(response, StatusCode::ACCEPTED).await?;
        Ok(response.json().await?)
    }

    /// Asks for a job that may be refused for want of room.
    pub(crate) async fn try_enqueue(&self, request: &Value) -> anyhow::Result<Asked> {
        let response = self.ask_for_job(request).await?;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let refusal: Refusal = response.json().await?;
            return Ok(Asked::Refused(refusal));
        }
        let response = expect(response, StatusCode::ACCEPTED).await?;
        Ok(Asked::Accepted(response.json().await?))
    }

    async fn ask_for_job(&self, request: &Value) -> anyhow::Result<Response> {
        let response = self
            .http
            .post(format!("{}/v1/reports/query/export", self.url))
            .header("prefer", "respond-async")
            // An export of its own each time, not a share in the one before.
            .header("cache-control", "no-cache")
            .json(request)
            .send();
        Ok(response.await?)
    }

    /// Asks for an answer at once.
    pub(crate) async fn export_at_once(&self, request: &Value) -> anyhow::Result<ReportExport> {
        let response = self
            .http
            .post(format!("{}/v1/reports/query/export", self.url))
            .json(request)
            .send()
            .await?;
        let response = expect(response, StatusCode::OK).await?;
        Ok(response.json().await?)
    }

    /// Asks for an answer at once that is too large for one, which makes it a job.
    pub(crate) async fn outgrown(&self, request: &Value) -> anyhow::Result<()> {
        let response = self
            .http
            .post(format!("{}/v1/reports/query/export", self.url))
            .header("cache-control", "no-cache")
            .json(request)
            .send()
            .await?;
        expect(response, StatusCode::ACCEPTED).await.map(drop)
    }

    /// Waits until an export has completed, by long polls.
    pub(crate) async fn completed(&self, id: &str) -> anyhow::Result<Export> {
        let started = Instant::now();
        while started.elapsed() < EXPORT {
            let response = self
                .http
                .get(format!("{}/v1/exports/{id}", self.url))
                .header("prefer", "wait=30")
                .send()
                .await?;
            let response = expect(response, StatusCode::OK).await?;
            let export: Export = response.json().await?;
            match export.status.as_str() {
                "queued" | "running" => {}
                "completed" => return Ok(export),
                ended => bail!("export {id} {ended}: {:?}", export.error),
            }
        }
        bail!("export {id} took longer than {EXPORT:?}")
    }

    /// Downloads a completed export, handing over chunk after chunk.
    pub(crate) async fn download(
        &self,
        export: &Export,
        mut chunk: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let download = export.download.as_ref().context("no download link")?;
        let response = self.http.get(&download.url).send().await?;
        let mut response = expect(response, StatusCode::OK).await?;
        while let Some(bytes) = response.chunk().await? {
            chunk(&bytes)?;
        }
        Ok(())
    }
}

async fn expect(response: Response, status: StatusCode) -> anyhow::Result<Response> {
    if response.status() == status {
        return Ok(response);
    }
    let got = response.status();
    let body = response.text().await.unwrap_or_default();
    bail!("expected {status}, got {got}: {body}")
}
