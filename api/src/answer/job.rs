//! A report that becomes a job: what is asked of the ledger, and the answer to each outcome.
//!
//! Once an export is recorded nothing turns the answer into an error but the end of the caller's key: the
//! client would not know that it has an export. Whether one is recorded is for the ledger alone to decide.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use waybill_config::ExportSettings;
use waybill_ledger::export::Export;
use waybill_ledger::{Enqueued, Intake, Lane, NewExport, Sharing, Terms};
use waybill_report::caller::Caller;
use waybill_report::query::ReportPlan;
use waybill_report::source::RowEstimate;

use super::download::Downloads;
use crate::admission::Admission;
use crate::headers::{IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED};
use crate::links::Links;
use crate::metrics::exports::ExportMetrics;
use crate::middleware::request_span;
use crate::problem::{Problem, ProblemCode};
use crate::request::prefer::Preferences;
use crate::request::repetition::Repetition;
use crate::watcher::long_poll::LongPoll;

/// Has reports recorded as jobs.
pub(crate) struct Jobs {
    pub(crate) ledger: Arc<dyn Intake>,
    pub(crate) settings: Arc<ExportSettings>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) long_poll: Arc<LongPoll>,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) metrics: ExportMetrics,
}

/// A job to be recorded, on behalf of one request.
pub(crate) struct Job<'a> {
    jobs: &'a Jobs,
    caller: &'a Caller,
    links: &'a Links,
    preferences: Preferences,
    repetition: Repetition,
    new: NewExport,
}

impl Jobs {
    /// Returns the job of this plan, which nobody knows of yet.
    pub(crate) fn job<'a>(
        &'a self,
        caller: &'a Caller,
        links: &'a Links,
        plan: &ReportPlan,
        preferences: Preferences,
        repetition: Repetition,
    ) -> Job<'a> {
        let new = NewExport {
            org: plan.org().clone(),
            made_by: caller.key.clone(),
            spec: plan.spec().clone(),
            max_attempts: self.settings.max_attempts,
            estimated_rows: None,
            lane: Lane::Large,
        };
        Job {
            jobs: self,
            caller,
            links,
            preferences,
            repetition,
            new,
        }
    }
}

impl Job<'_> {
    /// Returns the answer that the request's key has already, if there is one.
    pub(crate) async fn answered_before(&self) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.repetition.key else {
            return Ok(None);
        };
        match self.jobs.ledger.replay(&self.new, key).await? {
            Some(outcome) => self.answer(outcome).await.map(Some),
            None => Ok(None),
        }
    }

    /// Has it recorded; `estimate` as the source expects the rows, `limit` as the query bounds them. A
    /// count that did not come to its end says nothing of how many there are.
    pub(crate) async fn enqueue(
        mut self,
        estimate: Option<RowEstimate>,
        limit: Option<u64>,
    ) -> Result<Response, Problem> {
        let estimated_rows = estimate.and_then(RowEstimate::about);
        let expected = [estimated_rows, limit].into_iter().flatten().min();
        self.new.estimated_rows = estimated_rows;
        self.new.lane = Lane::of(expected, self.jobs.settings.large_rows);
        let outcome = self
            .jobs
            .ledger
            .enqueue(self.new.clone(), &self.terms())
            .await?;
        self.answer(outcome).await
    }

    fn terms(&self) -> Terms {
        let exports = &*self.jobs.settings;
        let sharing = Sharing {
            reuse: exports.reuse(),
        };
        Terms {
            max_queued: u64::from(exports.max_queued),
            max_active: u64::from(exports.max_active_per_org),
            sharing: self.repetition.may_share.then_some(sharing),
            idempotency_key: self.repetition.key.clone(),
        }
    }

    async fn answer(&self, outcome: Enqueued) -> Result<Response, Problem> {
        self.jobs.metrics.answered(&outcome);
        match outcome {
            Enqueued::Accepted(export) | Enqueued::Shared(export) => self.accepted(*export).await,
            Enqueued::Replayed(export) => {
                let mut response = self.accepted(*export).await?;
                let replayed = HeaderValue::from_static("true");
                response.headers_mut().insert(IDEMPOTENT_REPLAYED, replayed);
                Ok(response)
            }
            Enqueued::KeyReused => {
                let detail =
                    "The Idempotency-Key stands for another request, of less than 24 hours ago.";
                Err(Problem::new(ProblemCode::IdempotencyKeyReused, detail))
            }
            Enqueued::TooManyActive => {
                let most = self.jobs.settings.max_active_per_org;
                let seconds = self
                    .jobs
                    .admission
                    .too_many_active(self.jobs.ledger.as_ref(), &self.new.org, u64::from(most))
                    .await?;
                let detail =
                    format!("The organisation has {most} unfinished exports, as many as it may.");
                Err(Problem::new(ProblemCode::TooManyActiveExports, detail).retry_after(seconds))
            }
            Enqueued::QueueFull => {
                let most = u64::from(self.jobs.settings.max_queued);
                let seconds = self
                    .jobs
                    .admission
                    .queue_full(self.jobs.ledger.as_ref(), most)
                    .await?;
                let detail = "As many exports wait as the service takes.";
                Err(Problem::new(ProblemCode::QueueFull, detail).retry_after(seconds))
            }
        }
    }

    /// Returns the answer about an export, once it ended or the client has waited for as long as it likes.
    async fn accepted(&self, mut export: Export) -> Result<Response, Problem> {
        request_span::record_export(export.id);
        let long_poll = &self.jobs.long_poll;
        let (preferences, held) = long_poll.hold(&self.caller.org, self.preferences);
        if held.is_some() {
            match long_poll.read(self.caller, export.id, held.as_ref()).await {
                Ok(Some(latest)) => export = latest,
                Ok(None) => {}
                Err(problem) if problem.is_unauthorized() => return Err(problem),
                Err(problem) => {
                    tracing::warn!(export_id = %export.id, cause = problem.detail(), "waiting for an accepted export was cut short");
                }
            }
        }
        let downloads = &self.jobs.downloads;
        let view = downloads.view(self.caller, self.links, export).await?;
        let mut response = (StatusCode::ACCEPTED, Json(&view)).into_response();
        let headers = response.headers_mut();
        if let Ok(location) = HeaderValue::try_from(&view.self_url) {
            headers.insert(LOCATION, location);
        }
        // A 202 always says when to look: at a job that ended, at once.
        let seconds = view.retry_after_seconds.unwrap_or(0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        if let Some(applied) = preferences.applied() {
            headers.insert(PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }
}
