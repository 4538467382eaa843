//! From a body to a plan.
//!
//! A small body is read where it arrives. Reading a large one takes milliseconds in which a thread of the
//! runtime would serve nobody else, so that is done beside them, by few threads at a time, which
//! organisations share as they share slots.

use bytes::Bytes;
use waybill_report::caller::Caller;
use waybill_report::query::{Rejection, ReportPlan, ReportRequest};

use crate::problem::Problem;
use crate::routes::reports::overloaded;
use crate::state::ApiState;

/// From how many bytes on a body is a large one: reading it takes about as long as a short report.
const LARGE: usize = 32 * 1024;

/// Reads a body and validates what it asks for.
///
/// # Errors
/// What is wrong with it, or `overloaded` where too many large bodies wait to be read.
pub(crate) async fn plan(
    state: &ApiState,
    caller: &Caller,
    body: &Bytes,
    read: fn(&[u8]) -> Result<ReportRequest, Rejection>,
) -> Result<ReportPlan, Problem> {
    if body.len() < LARGE {
        return Ok(state.catalog.plan(&read(body)?, caller)?);
    }
    let turn = state.admission.turn_to_plan(&caller.org).await;
    let turn = turn.map_err(overloaded)?;
    let (state, caller, body) = (state.clone(), caller.clone(), body.clone());
    let planned = tokio::task::spawn_blocking(move || {
        // Given back once it is done, also when its client is gone.
        let _turn = turn;
        state.catalog.plan(&read(&body)?, &caller)
    });
    Ok(planned.await.map_err(Problem::internal)??)
}
