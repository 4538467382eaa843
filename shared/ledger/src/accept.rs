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
        let known = replay(tx.kept(new, key).await?, &request);
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

/// Returns what becomes of a request of this name whose key stands for something already.
pub(crate) fn replay(kept: Option<Kept>, request: &str) -> Option<Enqueued> {
    let kept = kept?;
    Some(if kept.request == request {
        Enqueued::Replayed(Box::new(kept.export))
    } else {
        Enqueued::KeyReused
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::json;
    use waybill_report::caller::OrgId;
    use waybill_report::encode::Format;
    use waybill_report::spec::ReportSpec;

    use super::*;
    use crate::export::{ExportStatus, Lane, Progress};

    /// A transaction that writes down what is asked of it.
    #[derive(Clone, Default)]
    struct Fake {
        /// What the idempotency key stands for already.
        kept: Option<NewExport>,
        is_shared: bool,
        is_full: bool,
        has_enough: bool,
        asked: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Fake {
        fn ask(&self, what: &'static str) {
            self.asked.lock().push(what);
        }
    }

    #[async_trait]
    impl Acceptance for Fake {
        async fn keep_key(
            &mut self,
            _: &NewExport,
            _: &IdempotencyKey,
            _: &str,
            _: ExportId,
        ) -> Result<bool, LedgerError> {
            self.ask("keep_key");
            Ok(self.kept.is_none())
        }

        async fn kept(
            &mut self,
            _: &NewExport,
            _: &IdempotencyKey,
        ) -> Result<Option<Kept>, LedgerError> {
            self.ask("kept");
            let kept = self.kept.as_ref();
            kept.map(|kept| {
                Ok(Kept {
                    request: kept.request()?,
                    export: export(),
                })
            })
            .transpose()
        }

        async fn point_key(
            &mut self,
            _: &NewExport,
            _: &IdempotencyKey,
            _: ExportId,
        ) -> Result<(), LedgerError> {
            self.ask("point_key");
            Ok(())
        }

        async fn shared(&mut self, _: &str, _: Sharing) -> Result<Option<Export>, LedgerError> {
            self.ask("shared");
            Ok(self.is_shared.then(export))
        }

        async fn reserve(&mut self, _: u64) -> Result<bool, LedgerError> {
            self.ask("reserve");
            Ok(!self.is_full)
        }

        async fn insert(
            &mut self,
            _: ExportId,
            _: &NewExport,
            _: &str,
            _: bool,
            _: u64,
        ) -> Result<Option<Export>, LedgerError> {
            self.ask("insert");
            Ok((!self.has_enough).then(export))
        }

        async fn push(&mut self, _: ExportId, _: DateTime<Utc>) -> Result<(), LedgerError> {
            self.ask("push");
            Ok(())
        }

        async fn commit(self) -> Result<(), LedgerError> {
            self.ask("commit");
            Ok(())
        }
    }

    fn new(limit: u64) -> NewExport {
        let query = json!({
            "dataset": "sessions",
            "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
            "limit": limit,
        });
        let query = serde_json::from_value(query).expect("a query");
        NewExport {
            org: OrgId::new("a"),
            made_by: None,
            spec: ReportSpec::new(query, Format::Csv.into()),
            max_attempts: 5,
            estimated_rows: None,
            lane: Lane::Large,
        }
    }

    fn export() -> Export {
        Export {
            id: ExportId::generate(),
            org: OrgId::new("a"),
            status: ExportStatus::Queued,
            spec: new(1).spec,
            revision: 1,
            epoch: 0,
            failures: 0,
            max_attempts: 5,
            suspect: false,
            lane: Lane::Large,
            created_at: DateTime::UNIX_EPOCH,
            started_at: None,
            completed_at: None,
            expires_at: None,
            materialized_at: None,
            source_updated_at: None,
            progress: Progress::default(),
            receipt: None,
            failure: None,
        }
    }

    /// What is asked of the transaction, one after the other, and what comes of it.
    async fn asks(fake: Fake, shares: bool, key: bool) -> (String, Enqueued) {
        let terms = Terms {
            max_queued: 1,
            max_active: 1,
            sharing: shares.then(Sharing::default),
            idempotency_key: key.then(|| "k".parse().expect("a key")),
        };
        let outcome = accept(fake.clone(), &new(1), &terms).await;
        let asked = fake.asked.lock().join(" ");
        (asked, outcome.expect("a decision"))
    }

    #[tokio::test]
    async fn what_is_accepted_or_shared_is_recorded_at_once_and_nothing_else_is() {
        let fake = Fake::default;
        let (asked, outcome) = asks(fake(), false, false).await;
        assert_eq!(asked, "reserve insert push commit");
        assert!(matches!(outcome, Enqueued::Accepted(_)), "{outcome:?}");

        let (asked, outcome) = asks(fake(), true, true).await;
        assert_eq!(asked, "keep_key shared reserve insert push commit");
        assert!(matches!(outcome, Enqueued::Accepted(_)), "{outcome:?}");

        let shared = || Fake {
            is_shared: true,
            is_full: true,
            ..fake()
        };
        let (asked, outcome) = asks(shared(), true, true).await;
        assert_eq!(asked, "keep_key shared point_key commit");
        assert!(matches!(outcome, Enqueued::Shared(_)), "{outcome:?}");

        let (asked, outcome) = asks(shared(), false, true).await;
        assert_eq!(asked, "keep_key reserve");
        assert!(matches!(outcome, Enqueued::QueueFull), "{outcome:?}");

        let enough = Fake {
            has_enough: true,
            ..fake()
        };
        let (asked, outcome) = asks(enough, false, false).await;
        assert_eq!(asked, "reserve insert");
        assert!(matches!(outcome, Enqueued::TooManyActive), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_key_stands_for_its_first_request_alone() {
        let kept = |limit| Fake {
            kept: Some(new(limit)),
            ..Fake::default()
        };
        let (asked, outcome) = asks(kept(1), true, true).await;
        assert_eq!(asked, "keep_key kept");
        assert!(matches!(outcome, Enqueued::Replayed(_)), "{outcome:?}");
        let (asked, outcome) = asks(kept(2), true, true).await;
        assert_eq!(asked, "keep_key kept");
        assert!(matches!(outcome, Enqueued::KeyReused), "{outcome:?}");
    }
}
