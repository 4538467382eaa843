//! Whether a request is answered at once, becomes a job, or is told when to come back.
//!
//! A report is tried at once unless its client asked for a job or its source expects more rows than are
//! answered at once. An expectation may be wrong or missing, so in the end the attempt itself shows
//! whether a result is small. What bounds the load is the number of inline slots
//! of this process, which organisations [share fairly](fair_slots), and the number of exports that wait.
//! Measures here are this process's own; the backlog and its drain are the ledger's.
//!
//! # When to come back
//! `overloaded`: a slot becomes free every `mean hold / slots`, where the mean is an exponentially
//! weighted one over the slots given back (weight 1/8), and before any was, `inline.timeout_seconds`: the longest hold.
//! Who finds more waiting than get a slot within `inline.queue_wait_ms` at that pace does not wait at all.
//!
//! `queue_full`: a place becomes free every `1 / rate`, where the rate is the claims of the last minute
//! over the span in which they fell, and the first one after `excess / rate`, where the excess is what
//! waits beyond `exports.max_queued`, and one. Without a claim in that minute the rate is below one in a
//! minute, so one in a minute is taken.
//!
//! `too_many_active_exports`: the same for one organisation, by the ends of its exports in the last
//! minute and what it has beyond `exports.max_active_per_org`.
//!
//! All go through a [`VirtualSchedule`], then through [`retry_after::spread`].

mod fair_slots;
mod org_schedules;
pub(crate) mod planner;
mod service_time;
mod virtual_schedule;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use waybill_config::InlineSettings;
use waybill_ledger::{Backlog, Intake, LedgerError};
use waybill_report::caller::OrgId;
use waybill_report::query::ReportPlan;
use waybill_report::source::{RowEstimate, SourceError, Sources};

use self::fair_slots::FairSlots;
pub(crate) use self::fair_slots::Permit;
use self::org_schedules::{FRESH_FOR, OrgSchedules};
use crate::retry_after;

pub(crate) use self::service_time::ServiceTime;
pub(crate) use self::virtual_schedule::{Drain, VirtualSchedule};

/// Exports per second when the last minute saw none.
const UNMEASURED_RATE: f64 = 1.0 / 60.0;
/// How long a large body may wait to be read, and how many may.
const PLANNING_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_QUEUED_TO_PLAN: usize = 64;

/// What becomes of a report request.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It may be tried at once, for as long as it holds the slot.
    Inline(Slot),
    /// It becomes a job.
    Enqueue,
}

/// No slot became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    /// Seconds until one may be.
    pub(crate) retry_after_seconds: u64,
}

/// Decides about report requests, and bounds how many are answered at once.
#[derive(Debug)]
pub(crate) struct Admission {
    slots: FairSlots,
    slot_count: usize,
    planners: FairSlots,
    queue_wait: Duration,
    max_rows: u64,
    large_rows: u64,
    timeout: Duration,
    service_time: Arc<Mutex<ServiceTime>>,
    slot_schedule: Mutex<VirtualSchedule>,
    queue_schedule: Mutex<VirtualSchedule>,
    org_schedules: OrgSchedules,
    backlog: tokio::sync::Mutex<Option<(Instant, Backlog)>>,
}

impl Admission {
    pub(crate) fn new(settings: &InlineSettings, large_rows: u64) -> Self {
        Self {
            slots: FairSlots::new(settings.slots),
            slot_count: settings.slots,
            planners: FairSlots::new(planner_count()),
            queue_wait: settings.queue_wait(),
            max_rows: settings.max_rows,
            large_rows,
            timeout: settings.timeout(),
            service_time: Arc::new(Mutex::new(ServiceTime::new(settings.timeout()))),
            slot_schedule: Mutex::default(),
            queue_schedule: Mutex::default(),
            org_schedules: OrgSchedules::default(),
            backlog: tokio::sync::Mutex::default(),
        }
    }

    /// Returns how many rows the source expects, asked only where the limit leaves open whether the report is
    /// answered at once or, for a client that asks for a job, in which lane it waits. No answer is no
    /// error: the attempt will show. Only a source that is away would fail that as well, and a job waits
    /// for it.
    pub(crate) async fn estimate(
        &self,
        sources: &Sources,
        plan: &ReportPlan,
        respond_async: bool,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let open_above = if respond_async {
            self.large_rows
        } else {
            self.max_rows
        };
        if plan.limit().is_some_and(|limit| limit <= open_above) {
            return Ok(None);
        }
        let estimate = sources.estimate(plan, u64::MAX, Some(open_above));
        match tokio::time::timeout(self.timeout, estimate).await {
            Ok(Err(error @ SourceError::Unavailable(_))) if !respond_async => Err(error),
            Ok(Ok(estimate)) => Ok(estimate),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a source could not estimate a report");
                Ok(None)
            }
            Err(_) => {
                tracing::warn!("a source took too long to estimate a report");
                Ok(None)
            }
        }
    }

    /// Decides about an export request of so many expected rows.
    pub(crate) async fn admit(
        &self,
        org: &OrgId,
        respond_async: bool,
        estimate: Option<RowEstimate>,
    ) -> Result<Admitted, Busy> {
        if respond_async || estimate.is_some_and(|estimate| estimate.exceeds(self.max_rows)) {
            return Ok(Admitted::Enqueue);
        }
        self.slot(org).await.map(Admitted::Inline)
    }

    /// Takes a slot for an answer at once, within `inline.queue_wait_ms`. Whoever would wait for longer is told
    /// so at once: a crowd in the queue costs those who are served.
    pub(crate) async fn slot(&self, org: &OrgId) -> Result<Slot, Busy> {
        let slot = self.slots.acquire(org, self.queue_wait, self.queue_bound());
        match slot.await {
            Some(permit) => Ok(Slot {
                since: Instant::now(),
                service_time: Arc::clone(&self.service_time),
                _permit: permit,
            }),
            None => Err(self.busy()),
        }
    }

    /// Returns the right to read a large body now.
    pub(crate) async fn planning_permit(&self, org: &OrgId) -> Result<Permit, Busy> {
        let turn = self
            .planners
            .acquire(org, PLANNING_TIMEOUT, MAX_QUEUED_TO_PLAN);
        turn.await.ok_or_else(|| self.busy())
    }

    /// Returns how many may wait: as many as are served within the longest wait, as things went lately,
    /// and one for each slot whatever they did, for holds differ.
    fn queue_bound(&self) -> usize {
        let service_time = self.service_time.lock().measured();
        let served = service_time.map_or(usize::MAX, |hold| {
            let holds = self.queue_wait.as_nanos() / hold.as_nanos().max(1);
            usize::try_from(holds)
                .unwrap_or(usize::MAX)
                .saturating_mul(self.slot_count)
        });
        served.max(self.slot_count)
    }

    /// Returns how many slots are in use, and how many there are.
    pub(crate) fn slots(&self) -> (usize, usize) {
        self.slots.in_use()
    }

    fn busy(&self) -> Busy {
        let drain = Drain::of_places(self.slot_count, self.service_time.lock().mean());
        let wait = self.slot_schedule.lock().reserve(Instant::now(), drain);
        Busy {
            retry_after_seconds: retry_after::spread(wait),
        }
    }

    /// Returns the seconds after which a full queue may take the caller's export.
    pub(crate) async fn queue_full(
        &self,
        ledger: &dyn Intake,
        max_queued: u64,
    ) -> Result<u64, LedgerError> {
        let backlog = self.backlog(ledger).await?;
        let excess = (backlog.queued() + 1).saturating_sub(max_queued);
        let rate = backlog.drain_rate().unwrap_or(UNMEASURED_RATE);
        let drain = Drain::of_queue(excess, rate);
        let wait = self.queue_schedule.lock().reserve(Instant::now(), drain);
        Ok(retry_after::spread(wait))
    }

    /// Returns the seconds after which an organisation may have one more export.
    pub(crate) async fn too_many_active(
        &self,
        ledger: &dyn Intake,
        org: &OrgId,
        max_active: u64,
    ) -> Result<u64, LedgerError> {
        let activity = match self.org_schedules.seen(org) {
            Some(activity) => activity,
            None => self.org_schedules.keep(org, ledger.activity(org).await?),
        };
        let excess = (activity.active + 1).saturating_sub(max_active);
        let rate = activity.drain_rate().unwrap_or(UNMEASURED_RATE);
        let drain = Drain::of_queue(excess, rate);
        let wait = self.org_schedules.reserve(org, Instant::now(), drain);
        Ok(retry_after::spread(wait))
    }

    /// Returns the backlog, as of a second ago at most. The lock is held across the read, so that a crowd waits
    /// for one answer instead of asking many times.
    async fn backlog(&self, ledger: &dyn Intake) -> Result<Backlog, LedgerError> {
        let mut seen = self.backlog.lock().await;
        match *seen {
            Some((at, backlog)) if at.elapsed() < FRESH_FOR => Ok(backlog),
            _ => {
                let backlog = ledger.backlog().await?;
                *seen = Some((Instant::now(), backlog));
                Ok(backlog)
            }
        }
    }
}

/// The right to read and encode a report at once. Given back when dropped, also when its client is gone.
#[derive(Debug)]
pub(crate) struct Slot {
    since: Instant,
    service_time: Arc<Mutex<ServiceTime>>,
    _permit: Permit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.service_time.lock().record(self.since.elapsed());
    }
}

/// Returns half of the processors: the other half is for everything else.
fn planner_count() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slot_that_is_given_back_serves_the_next() {
        let inline = InlineSettings {
            max_rows: 10,
            max_bytes: 1,
            timeout_seconds: 1,
            slots: 1,
            queue_wait_ms: 0,
        };
        let admission = Admission::new(&inline, 1_000);
        let org = OrgId::new("a");
        let slot = admission.slot(&org).await.expect("the first slot");
        let busy = admission.slot(&org).await.expect_err("there is no second");
        assert!((1..=3).contains(&busy.retry_after_seconds));
        let (about, at_least) = (RowEstimate::About, RowEstimate::AtLeast);
        for (respond_async, estimate) in [
            (true, None),
            (false, Some(about(11))),
            (false, Some(at_least(11))),
        ] {
            let admitted = admission.admit(&org, respond_async, estimate).await;
            assert!(matches!(admitted, Ok(Admitted::Enqueue)));
        }
        drop(slot);
        for estimate in [None, Some(about(10)), Some(at_least(10))] {
            let admitted = admission.admit(&org, false, estimate).await;
            assert!(matches!(admitted, Ok(Admitted::Inline(_))));
        }
    }
}
