//! What every worker does beside exports: one task a file, and one list of them. Each keeps its own
//! time, so that a slow store or listener holds up none but its own task.

mod ended_exports;
mod event_delivery;
mod event_retention;
mod expiry;
mod give_up;
mod lapsed_leases;
mod lease_grace;
mod listener;
mod orphaned_objects;
mod record_retention;
mod redelivery;
mod task;
mod unbounded_waits;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::ended_exports::EndedExports;
use self::event_delivery::EventDelivery;
use self::event_retention::EventRetention;
use self::expiry::Expiry;
use self::give_up::GiveUp;
use self::lapsed_leases::LapsedLeases;
use self::listener::Listener;
use self::orphaned_objects::OrphanedObjects;
use self::record_retention::RecordRetention;
use self::redelivery::Redelivery;
use self::task::{Task, repeat};
use self::unbounded_waits::UnboundedWaits;
use crate::dependencies::Dependencies;

/// Returns every recurring task.
fn recurring(with: &Dependencies) -> Vec<Box<dyn Task>> {
    vec![
        Box::new(LapsedLeases::new(with)),
        Box::new(UnboundedWaits::new(with)),
        Box::new(GiveUp::new(with)),
        Box::new(Redelivery::new(with)),
        Box::new(Expiry::new(with)),
        Box::new(RecordRetention::new(with)),
        Box::new(OrphanedObjects::new(with)),
        Box::new(EventDelivery::new(with, listeners(with))),
        Box::new(EventRetention::new(with)),
    ]
}

/// Returns everybody who hears of what happened to exports.
fn listeners(with: &Dependencies) -> Vec<Box<dyn Listener>> {
    vec![Box::new(EndedExports::new(&with.metrics))]
}

/// Begins every task; each ends some time after the shutdown, when its run is over.
pub(crate) fn start(with: &Dependencies, tracker: &TaskTracker, shutdown: &CancellationToken) {
    for task in recurring(with) {
        tracker.spawn(repeat(task, shutdown.clone()));
    }
}
