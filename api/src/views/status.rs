//! How the service is, as its operator sees it: the numbers of `/metrics` that matter first.
//!
//! Says of each number whether it is of this process, of the whole installation or of the caller's
//! organisation. Reads nothing itself.

pub(crate) mod table;

use serde::ser::{Serialize, Serializer};
use strum::IntoEnumIterator as _;
use utoipa::ToSchema;
use waybill_ledger::metrics::{AttemptMetrics, Outcome};
use waybill_ledger::{Backlog, Lane, OrgActivity};
use waybill_readiness::{NotReady, Requirement};

use crate::metrics::ApiMetrics;
use crate::problem::ProblemCode;

/// How the service is. Counts are of the process that answered, since it began.
#[derive(Clone, Debug, PartialEq, serde::Serialize, ToSchema)]
#[schema(as = OperationsStatus)]
pub(crate) struct StatusView {
    process: ProcessStatus,
    /// By the ledger, which all processes share, no older than a second; null while it does not answer.
    #[schema(required = true)]
    installation: Option<InstallationStatus>,
    /// Of the caller; null while the ledger does not answer.
    #[schema(required = true)]
    organisation: Option<OrganisationStatus>,
}

/// The process that answered.
#[derive(Clone, Debug, PartialEq, serde::Serialize, ToSchema)]
pub(crate) struct ProcessStatus {
    version: &'static str,
    /// Seconds since it began.
    uptime_seconds: u64,
    /// What it needs and cannot reach, as in `/readyz`; empty when it is ready.
    missing: Vec<String>,
    /// Requests that it has not answered yet, this one included.
    requests_in_flight: u64,
    /// Places for reports that are answered at once.
    inline_slots: PlacesStatus,
    /// Places for clients that are held or follow events.
    waiting_places: PlacesStatus,
    /// Attempts to answer a report at once, by outcome.
    #[schema(value_type = BTreeMap<String, u64>)]
    inline_attempts: Counts,
    /// Requests that were put off with a 429, by code.
    #[schema(value_type = BTreeMap<String, u64>)]
    put_off: Counts,
    /// What its worker does; null when it has none, in which case each worker tells it at its own
    /// `/metrics`.
    #[schema(required = true)]
    worker: Option<WorkerStatus>,
}

/// How many places of a kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub(crate) struct PlacesStatus {
    in_use: usize,
    total: usize,
}

/// The worker of a process.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub(crate) struct WorkerStatus {
    /// Exports that it works on now.
    running: u64,
    /// Attempts at exports that ended, by outcome.
    #[schema(value_type = BTreeMap<String, u64>)]
    attempts: Counts,
    /// Rows of the files that it published.
    exported_rows: u64,
    /// Bytes of the files that it published.
    exported_bytes: u64,
}

/// All processes together.
#[derive(Clone, Debug, PartialEq, serde::Serialize, ToSchema)]
pub(crate) struct InstallationStatus {
    small: LaneStatus,
    large: LaneStatus,
    /// Exports that workers claimed per second, over the last minute; null when they claimed none.
    #[schema(required = true)]
    drain_per_second: Option<f64>,
    /// Queued exports that ask for what this version does not know: a newer worker has to run them.
    unknown: u64,
}

/// The exports that are expected to be small, or to be large.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, ToSchema)]
pub(crate) struct LaneStatus {
    /// Exports that wait for a worker.
    queued: u64,
    /// Exports that a worker has claimed.
    running: u64,
    /// For how long the oldest of those that wait could have run already; null when none can.
    #[schema(required = true)]
    oldest_queued_seconds: Option<f64>,
}

/// One organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub(crate) struct OrganisationStatus {
    /// Its unfinished exports.
    active_exports: u64,
    /// How many it may have.
    max_active_exports: u64,
}

/// Counts by name, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counts(Vec<(&'static str, u64)>);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl StatusView {
    pub(crate) fn new(
        process: ProcessStatus,
        backlog: Option<Backlog>,
        organisation: Option<OrganisationStatus>,
    ) -> Self {
        Self {
            process,
            installation: backlog.as_ref().map(InstallationStatus::of),
            organisation,
        }
    }
}

impl ProcessStatus {
    pub(crate) fn of(metrics: &ApiMetrics, ready: Result<(), NotReady>) -> Self {
        let missing = ready.err().map(|error| error.missing).unwrap_or_default();
        let put_off = ProblemCode::iter()
            .filter(|code| code.status() == http::StatusCode::TOO_MANY_REQUESTS)
            .map(|code| (code.name(), metrics.requests.problems(code)));
        Self {
            version: metrics.process.version(),
            uptime_seconds: metrics.process.uptime().as_secs(),
            missing: missing.iter().map(Requirement::to_string).collect(),
            requests_in_flight: metrics.requests.in_flight(),
            inline_slots: PlacesStatus::of(metrics.inline_slots()),
            waiting_places: PlacesStatus::of(metrics.waiting_places()),
            inline_attempts: Counts(metrics.inline.counts().to_vec()),
            put_off: Counts(put_off.collect()),
            worker: metrics.process.attempts_of_worker().map(WorkerStatus::of),
        }
    }
}

impl PlacesStatus {
    fn of((in_use, total): (usize, usize)) -> Self {
        Self { in_use, total }
    }
}

impl WorkerStatus {
    fn of(attempts: &AttemptMetrics) -> Self {
        let counts = Outcome::NAMES.map(|name| (name, attempts.count(name)));
        let (exported_rows, exported_bytes) = attempts.exported();
        Self {
            running: attempts.running(),
            attempts: Counts(counts.to_vec()),
            exported_rows,
            exported_bytes,
        }
    }
}

impl InstallationStatus {
    fn of(backlog: &Backlog) -> Self {
        let lane = |lane| {
            let lane = backlog.lane(lane);
            LaneStatus {
                queued: lane.queued,
                running: lane.running,
                oldest_queued_seconds: lane.oldest.map(|age| to_thousandths(age.as_secs_f64())),
            }
        };
        Self {
            small: lane(Lane::Small),
            large: lane(Lane::Large),
            drain_per_second: backlog.drain_rate().map(to_thousandths),
            unknown: backlog.unknown(),
        }
    }
}

impl OrganisationStatus {
    pub(crate) fn of(activity: OrgActivity, max_active_exports: u64) -> Self {
        Self {
            active_exports: activity.active,
            max_active_exports,
        }
    }
}

/// Rounds to three decimals: more would only look exact.
fn to_thousandths(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
