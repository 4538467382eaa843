//! The record of every export: who may work on it, how far it is, how it ended.
//!
//! The ledger decides, the queue only wakes. Every transition is one guarded UPDATE, so that any
//! number of processes may race and one of them wins. It knows no file and no query engine.

#![deny(missing_docs)]

mod accept;
mod backlog;
mod changes;
mod claim;
pub mod database;
mod db;
mod error;
pub mod export;
mod intake;
pub mod keys;
mod ledger;
pub mod metrics;
mod new_export;
mod probe;
pub mod queue;
mod sql;
mod terms;
mod upkeep;
mod work;

pub use self::backlog::{Backlog, LaneBacklog, OrgActivity};
pub use self::changes::{Changes, change_of};
pub use self::claim::{Claim, Lanes, Lease};
pub use self::error::LedgerError;
pub use self::export::Lane;
pub use self::intake::{Cancel, Enqueued, Intake, Page};
pub use self::ledger::Ledger;
pub use self::new_export::NewExport;
pub use self::probe::Probe;
pub use self::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, NoIdempotencyKey, Sharing, Terms};
pub use self::upkeep::{LeftUpload, Leftover, Upkeep};
pub use self::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};
