//! Why a ledger does not do what it is asked.

use crate::db::error::lacks_tables;
use crate::export::ExportId;

/// Why the ledger did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The lease is worth nothing any more; whatever its holder did must not be published.
    #[error("the lease on {0} is lost")]
    LeaseLost(ExportId),
    /// The database's schema is older than this program, or not there at all.
    #[error("the database has not the migrations of this program; run `waybill migrate`")]
    SchemaOutdated,
    /// A row that this program cannot have written.
    #[error("the ledger holds an unreadable row: {0}")]
    Corrupt(String),
    /// The database does not answer or fails.
    #[error("the ledger's database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The queue's tables do not take the wake-up.
    #[error("the queue does not take a task")]
    Queue(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        if lacks_tables(&error) {
            Self::SchemaOutdated
        } else {
            Self::Unavailable(error)
        }
    }
}
