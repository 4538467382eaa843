//! Which requests start an export, which are answered by one that is there already, and which are
//! refused: the policy, over what an engine can do in one transaction.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::intake::Enqueued;
use crate::new_export::NewExport;
use crate::terms::{IdempotencyKey, Sharing, Terms};

/// The transaction in which one request is decided. Two that may come to the same export, or to the
/// same idempotency key, are decided one after the other. Dropped without [`commit`](Self::commit) it
/// leaves nothing behind.
#[async_trait]
pub(crate) trait Acceptance: Send {
    /// Lets the key stand for this request and its export; `false` when it stands for one already.
    async fn keep_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        request: &str,
        id: ExportId,
    ) -> Result<bool, LedgerError>;

    /// Returns what the key stands for.
    async fn kept(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Kept>, LedgerError>;

    /// Lets the key, which stands for this request, stand for this export.
    async fn point_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        id: ExportId,
    ) -> Result<(), LedgerError>;

    /// Returns another export that answers the request.
    async fn shared(
        &mut self,
        request: &str,
        sharing: Sharing,
    ) -> Result<Option<Export>, LedgerError>;

    /// Reserves a place in the queue until the end of the transaction; `false` when it is full.
    async fn reserve(&mut self, max_queued: u64) -> Result<bool, LedgerError>;

    /// Records the export as queued, at the end of its organisation's turns; `None` when the
    /// organisation has as many unfinished ones as it may.
    async fn insert(
        &mut self,
        id: ExportId,
        new: &NewExport,
        request: &str,
        joinable: bool,
        max_active: u64,
    ) -> Result<Option<Export>, LedgerError>;

    /// Pushes the export's first wake-up.
    async fn push(&mut self, id: ExportId, now: DateTime<Utc>) -> Result<(), LedgerError>;

    /// Ends the transaction: what was done is recorded.
    async fn commit(self) -> Result<(), LedgerError>
    where
        Self: Sized;
}

/// What an idempotency key stands for.
pub(crate) struct Kept {
    /// Its first request, as [`NewExport::request`] names it.
    pub(crate) request: String,
    /// The export that was its answer.
    pub(crate) export: Export,
}

/// Decides what becomes of a request.
pub(crate) async fn accept<A: Acceptance>(
    mut tx: A,
    new: &NewExport,
    terms: &Terms,
) -> Result<Enqueued, LedgerError> {
    let (id, request) = (ExportId::generate(), new.request()?);
    if let Some(key) = &terms.idempotency_key
        && !tx.keep_key(new, key, &request, id).await?
    {
        let known = replay(tx.kept(new, key).await?, new)?;
        return known.ok_or_else(|| LedgerError::Corrupt("idempotency_keys".to_owned()));
    }
    if let Some(sharing) = terms.sharing
        && let Some(export) = tx.shared(&request, sharing).await?
    {
        if let Some(key) = &terms.idempotency_key {
            tx.point_key(new, key, export.id).await?;
        }
        tx.commit().await?;
        return Ok(Enqueued::Shared(Box::new(export)));
    }
    if !tx.reserve(terms.max_queued).await? {
        return Ok(Enqueued::QueueFull);
    }
    let joinable = terms.sharing.is_some();
    let inserted = tx.insert(id, new, &request, joinable, terms.max_active);
    let Some(export) = inserted.await? else {
        return Ok(Enqueued::TooManyActive);
    };
    tx.push(id, export.created_at).await?;
    tx.commit().await?;
    Ok(Enqueued::Accepted(Box::new(export)))
}

/// Returns what becomes of a request whose key stands for something already.
pub(crate) fn replay(kept: Option<Kept>, new: &NewExport) -> Result<Option<Enqueued>, LedgerError> {
    let Some(kept) = kept else {
        return Ok(None);
    };
    let is_the_same = kept.request == new.request()?;
    Ok(Some(if is_the_same {
        Enqueued::Replayed(Box::new(kept.export))
    } else {
        Enqueued::KeyReused
    }))
}
