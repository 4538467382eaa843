//! What a worker is given.

use std::sync::Arc;
use std::time::Duration;

use waybill_config::{ExportSettings, WorkerSettings};
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::queue::Queue;
use waybill_ledger::{Changes, Outbox, Upkeep, Work};
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_store::Bucket;

/// What a worker works with.
#[derive(Clone)]
pub struct Dependencies {
    /// What may be asked.
    pub catalog: Arc<Catalog>,
    /// Where rows are read.
    pub sources: Sources,
    /// What decides which export runs, and records how far it is.
    pub work: Arc<dyn Work>,
    /// What keeps exports in order while processes die.
    pub upkeep: Arc<dyn Upkeep>,
    /// What has to be told after exports changed.
    pub outbox: Arc<dyn Outbox>,
    /// What tells of changed exports.
    pub changes: Arc<dyn Changes>,
    /// What delivers.
    pub queue: Queue,
    /// Where files go.
    pub bucket: Bucket,
    /// Tells whether store and sources answer: without them nothing is claimed.
    pub readiness: Readiness,
    /// How many at a time, and for how long an export is leased.
    pub worker: WorkerSettings,
    /// Limits of one export.
    pub exports: ExportSettings,
    /// How long running exports may go on after the shutdown began.
    pub grace: Duration,
    /// Where it registers what it counts; one worker a process.
    pub metrics: ProcessMetrics,
}
