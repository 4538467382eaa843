//! A report that is answered at once: an attempt within a slot, and what a small result looks like.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use waybill_config::{ExportSettings, InlineSettings};
use waybill_report::caller::Caller;
use waybill_report::query::ReportPlan;
use waybill_report::source::{RowEstimate, Sources};
use waybill_store::attachment;

use super::attempt::{Attempt, Bounds, InlineError, InlineReport, attempt};
use crate::admission::planner::{Planner, Read};
use crate::admission::{Admission, Slot};
use crate::auth::Authenticator;
use crate::headers::{AS_OF, LIMIT_REACHED, ROW_COUNT};
use crate::metrics::inline::InlineMetrics;
use crate::problem::Problem;
use crate::views::report::ReportExport;

/// Answers reports at once.
pub(crate) struct InlineAnswers {
    pub(crate) sources: Sources,
    pub(crate) settings: InlineSettings,
    pub(crate) exports: Arc<ExportSettings>,
    pub(crate) planner: Arc<Planner>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) metrics: InlineMetrics,
}

/// Who asks for a report, in which words.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) body: &'a Bytes,
    pub(crate) read: Read,
}

impl InlineAnswers {
    /// Returns how many rows the source expects, see [`Admission::estimate`].
    ///
    /// # Errors
    /// The source is away, and the client asked for an answer at once.
    pub(crate) async fn estimate(
        &self,
        plan: &ReportPlan,
        respond_async: bool,
    ) -> Result<Option<RowEstimate>, Problem> {
        let estimate = self.admission.estimate(&self.sources, plan, respond_async);
        Ok(estimate.await.map_err(InlineError::from)?)
    }

    /// Reads a report that has to stay within the bounds: rows are cut.
    ///
    /// # Errors
    /// What the source or the data refuses; and 401 or 403 when the caller may not ask for it any more.
    pub(crate) async fn query(
        &self,
        slot: Slot,
        asked: Asked<'_>,
        plan: &ReportPlan,
    ) -> Result<Attempt, Problem> {
        let bounds = Bounds::of_query(&self.settings, &self.exports);
        self.attempt(slot, asked, plan, bounds).await
    }

    /// Reads a report that can become a job: nothing is cut.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn export(
        &self,
        slot: Slot,
        asked: Asked<'_>,
        plan: &ReportPlan,
    ) -> Result<Attempt, Problem> {
        let bounds = Bounds::of_export(&self.settings, &self.exports);
        self.attempt(slot, asked, plan, bounds).await
    }

    async fn attempt(
        &self,
        slot: Slot,
        asked: Asked<'_>,
        plan: &ReportPlan,
        bounds: Bounds,
    ) -> Result<Attempt, Problem> {
        let attempt = attempt(&self.sources, plan, bounds);
        let attempt = self.metrics.counted(attempt).await?;
        drop(slot);
        self.still_allowed(asked).await?;
        Ok(attempt)
    }

    /// Checks the caller again: reading may have taken its time, and what was read is told to whoever may ask
    /// for it now.
    async fn still_allowed(&self, asked: Asked<'_>) -> Result<(), Problem> {
        let Asked { caller, body, read } = asked;
        let current = self.authenticator.current(caller).await?;
        if current == *caller {
            return Ok(());
        }
        if current.org != caller.org {
            return Err(Problem::unauthorized());
        }
        self.planner.plan(&current, body, read).await?;
        Ok(())
    }
}

/// Returns a small report in an envelope.
///
/// # Errors
/// Never in fact: what a text format writes is text.
pub(crate) fn enveloped(plan: &ReportPlan, report: InlineReport) -> Result<Response, Problem> {
    let vary = [(VARY, HeaderValue::from_static("accept"))];
    let export = ReportExport::new(plan, report).map_err(Problem::internal)?;
    Ok((vary, Json(export)).into_response())
}

/// Returns a small report as its file, with what the envelope would say in headers.
///
/// # Errors
/// Never in fact: what is said is made of letters that a header may hold.
pub(crate) fn bare(plan: &ReportPlan, report: InlineReport) -> Result<Response, Problem> {
    let text = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    let content_type = HeaderValue::from_static(plan.format().content_type_header());
    let summary = report.summary;
    let as_of = summary
        .as_of
        .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let headers = [
        (CONTENT_TYPE, content_type),
        (VARY, HeaderValue::from_static("accept")),
        (CONTENT_DISPOSITION, text(attachment(plan.filename()))?),
        (AS_OF, text(as_of)?),
        (ROW_COUNT, HeaderValue::from(summary.row_count)),
        (LIMIT_REACHED, text(summary.limit_reached.to_string())?),
    ];
    Ok((headers, report.content).into_response())
}
