//! What a connection of either engine does for the queue.

use super::task::Due;
use crate::error::LedgerError;
use crate::export::ExportId;

/// A connection of the ledger's database. What it does is part of its transaction.
pub(crate) trait QueueConnection: Send {
    /// Pushes a wake-up.
    fn push(
        &mut self,
        export_id: ExportId,
        due: Due,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Counts the wake-ups that wait for a worker.
    fn count_pending(&mut self) -> impl Future<Output = Result<usize, LedgerError>> + Send;

    /// Removes wake-ups that were delivered some time ago, and workers that are long gone.
    fn remove_delivered(&mut self) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
