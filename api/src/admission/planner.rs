//! From a body to a plan.
//!
//! A small body is read where it arrives. Reading a large one takes milliseconds in which a thread of the
//! runtime would serve nobody else, so that is done beside them, by few threads at a time, which
//! organisations share as they share slots.

use std::sync::Arc;

use bytes::Bytes;
use waybill_report::caller::Caller;
use waybill_report::catalog::Catalog;
use waybill_report::query::{Rejection, ReportPlan, ReportRequest};

use crate::admission::Admission;
use crate::problem::Problem;

/// From how many bytes on a body is a large one: reading it takes about as long as a short report.
const LARGE_BODY_BYTES: usize = 32 * 1024;

/// How the body of an operation is read.
pub(crate) type Read = fn(&[u8]) -> Result<ReportRequest, Rejection>;

/// Makes plans of bodies.
pub(crate) struct Planner {
    catalog: Arc<Catalog>,
    admission: Arc<Admission>,
}

impl Planner {
    pub(crate) fn new(catalog: Arc<Catalog>, admission: Arc<Admission>) -> Self {
        Self { catalog, admission }
    }

    /// Reads a body and validates what it asks for.
    ///
    /// # Errors
    /// What is wrong with it, or `overloaded` where too many large bodies wait to be read.
    pub(crate) async fn plan(
        &self,
        caller: &Caller,
        body: &Bytes,
        read: Read,
    ) -> Result<ReportPlan, Problem> {
        if body.len() < LARGE_BODY_BYTES {
            return Ok(self.catalog.plan(&read(body)?, caller)?);
        }
        let permit = self.admission.planning_permit(&caller.org).await?;
        let (catalog, caller, body) = (Arc::clone(&self.catalog), caller.clone(), body.clone());
        let planned = tokio::task::spawn_blocking(move || {
            // Given back once it is done, also when its client is gone.
            let _permit = permit;
            catalog.plan(&read(&body)?, &caller)
        });
        Ok(planned.await.map_err(Problem::internal)??)
    }
}
