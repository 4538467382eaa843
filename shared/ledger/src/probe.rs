//! Whether a ledger can be used at all.

use async_trait::async_trait;

use crate::error::LedgerError;

/// See the module.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Asks whether the database answers and has the migrations of this program. Newer ones are fine:
    /// they only add (see `migrations/README.md`), so that a database is migrated first and its
    /// processes are replaced afterwards.
    ///
    /// # Errors
    /// [`LedgerError`] when not.
    async fn check(&self) -> Result<(), LedgerError>;
}
