//! Reading many exports at once, for whoever does so on behalf of many clients.

use async_trait::async_trait;

use super::LedgerError;
use crate::export::{Export, ExportId};

/// Reads of exports without a scope: for ids that were shown to lie in the scope of those who are
/// told of them, by [`Ledger::get`](super::Ledger::get). Each is one statement.
#[async_trait]
pub trait SharedReads: Send + Sync {
    /// Those of these exports that exist, in any order. One that cannot be read is logged and left
    /// out: the others are for other clients.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError>;

    /// The [`revision`](Export::revision) of those of these exports that exist, in any order. Costs
    /// much less than reading them.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError>;
}
