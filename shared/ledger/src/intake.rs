//! Taking exports in, for whoever serves clients: what is asked about them, and their ends.
//!
//! What a worker does to an export cannot be named by who has this alone.

use async_trait::async_trait;
use waybill_report::caller::{OrgId, Scope};

use crate::backlog::{Backlog, OrgActivity};
use crate::error::LedgerError;
use crate::export::{Export, ExportId, ExportStatus};
use crate::new_export::NewExport;
use crate::terms::{IdempotencyKey, Terms};

/// See the module.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Records an export as `queued` and wakes a worker, both in one transaction, unless another
    /// one is the answer or the terms are not met. They hold whichever processes ask at once.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; then nothing was recorded, or its answer was lost.
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError>;

    /// Returns what the idempotency key stands for already: [`Enqueued::Replayed`] or
    /// [`Enqueued::KeyReused`]. `None`: nothing, at the moment.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError>;

    /// Returns the export of this id if it lies in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError>;

    /// Returns exports of the scope, newest first.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError>;

    /// Measures what waits and how fast it drains.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn backlog(&self) -> Result<Backlog, LedgerError>;

    /// Measures what an organisation has going, and how fast it drains.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError>;

    /// Stops an export for good: `queued | running → cancelled`. Returns `None` when there is no such
    /// export in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; cancelling again does no harm.
    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError>;

    /// Removes an export, whatever its state, and leaves its file to be removed; both in one
    /// transaction. `false` when there is no such export in the scope.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; deleting again does no harm.
    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError>;
}

/// What became of a new export.
#[derive(Clone, Debug)]
pub enum Enqueued {
    /// It is recorded and will run.
    Accepted(Box<Export>),
    /// An identical request has this export already.
    Shared(Box<Export>),
    /// The idempotency key was used for this request before; this was its export.
    Replayed(Box<Export>),
    /// The idempotency key stands for another request; nothing was recorded.
    KeyReused,
    /// The organisation has as many unfinished exports as it may; nothing was recorded.
    TooManyActive,
    /// The backlog is full; nothing was recorded.
    QueueFull,
}

/// Which exports of a scope to list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Only this status.
    pub status: Option<ExportStatus>,
    /// Only this dataset.
    pub dataset: Option<String>,
    /// Only exports older than this one.
    pub before: Option<ExportId>,
    /// The most entries.
    pub limit: u32,
}

/// What became of a cancellation.
#[derive(Clone, Debug)]
pub enum Cancel {
    /// It is cancelled, now or since an earlier call.
    Cancelled(Box<Export>),
    /// It had ended in another way, and did not change.
    Finished(Box<Export>),
}

impl Cancel {
    /// Says so of an export that nothing can change any more but its expiry.
    pub(crate) fn of(export: Export) -> Self {
        if export.status == ExportStatus::Cancelled {
            Self::Cancelled(Box::new(export))
        } else {
            Self::Finished(Box::new(export))
        }
    }
}
