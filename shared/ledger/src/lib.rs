//! The record of every export: who may work on it, how far it is, how it ended.
//!
//! The ledger decides, the queue only wakes. Every transition is one guarded UPDATE, so that any
//! number of processes may race and one of them wins. It knows no file and no query engine.
//!
//! Who may do what is a trait each: an API takes exports in ([`Intake`]), a worker works on those that it
//! has claimed ([`Work`]), rescue keeps up what dead processes leave ([`Upkeep`]), and who waits hears of
//! [`Changes`].
//!
//! ```
//! # use std::error::Error;
//! # use std::time::Duration;
//! # use waybill_ledger::database::Database;
//! # use waybill_ledger::export::{ExportStatus, Receipt};
//! # use waybill_ledger::{Enqueued, Lane, Lanes, NewExport, Terms};
//! # use waybill_report::caller::{OrgId, Scope};
//! # use waybill_report::encode::Format;
//! # use waybill_report::spec::ReportSpec;
//! # const HOUR: Duration = Duration::from_secs(3_600);
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! let folder = tempfile::tempdir()?;
//! let database = Database::open_file(&folder.path().join("waybill.sqlite")).await?;
//!
//! // The API's part.
//! let query = serde_json::from_str(
//!     r#"{ "dataset": "sessions",
//!          "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" } }"#,
//! )?;
//! let new = NewExport {
//!     org: OrgId::new("acme"),
//!     made_by: None,
//!     spec: ReportSpec::new(query, Format::Csv.into()),
//!     max_attempts: 5,
//!     estimated_rows: None,
//!     lane: Lane::Large,
//! };
//! let terms = Terms {
//!     max_queued: 1_000,
//!     max_active: 20,
//!     sharing: None,
//!     idempotency_key: Some("monthly-report".parse()?),
//! };
//! let accepted = database.intake().enqueue(new.clone(), &terms).await?;
//! assert!(matches!(accepted, Enqueued::Accepted(_)));
//! let repeated = database.intake().enqueue(new, &terms).await?;
//! assert!(matches!(repeated, Enqueued::Replayed(_)));
//!
//! // The worker's.
//! let work = database.work();
//! let claim = work.claim_next(HOUR, Lanes::Any).await?.ok_or("nothing waits")?;
//! let receipt = Receipt {
//!     object_key: claim.lease.object_key(Format::Csv),
//!     row_count: 3,
//!     limit_reached: false,
//!     size_bytes: 42,
//!     sha256: "ab".repeat(32),
//! };
//! work.complete(&claim.lease, &receipt, HOUR).await?;
//!
//! let scope = Scope { org: OrgId::new("acme"), made_by: None };
//! let done = database.intake().get(&scope, claim.lease.export_id()).await?;
//! assert_eq!(done.map(|export| export.status), Some(ExportStatus::Completed));
//! # Ok(())
//! # }
//! ```

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
mod outbox;
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
pub use self::outbox::{Event, Outbox, OutboxEvent};
pub use self::probe::Probe;
pub use self::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, InvalidIdempotencyKey, Sharing, Terms};
pub use self::upkeep::{OrphanedObject, OrphanedUpload, Upkeep};
pub use self::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};
