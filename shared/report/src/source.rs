//! Where rows come from: one snapshot of one database for each report.
//!
//! A source makes a statement of a plan and turns what its database answers into record batches of the plan's
//! columns. It knows its database and nothing of formats, files or jobs. A folder holds what there is of one
//! engine, its SQL beside its reader; [`connect`] alone knows them all.

mod batches;
mod client_failure;
mod engine;
mod error;
mod json;
mod known_types;
pub mod postgres;
mod registry;
pub mod sqlite;
pub mod statement;
pub mod stored_types;
pub mod tables;
mod text;

pub use self::batches::BATCH_ROWS;
pub use self::engine::{Prepared, Reading, RowEstimate, Snapshot, Source, SourceLimits};
pub use self::error::{QueryFault, SourceError};
pub use self::registry::{Sources, connect};
pub use self::tables::Index;
