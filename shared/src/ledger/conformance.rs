//! What every ledger must do, whichever database it is on. A ledger's own tests call [`run`].

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;

use super::{Claim, Enqueued, Ledger, LedgerError, NewExport, Page, UploadRecord};
use crate::caller::OrgId;
use crate::encode::Format;
use crate::export::{
    Export, ExportId, ExportStatus, Failure, FailureCode, Lease, Progress, Receipt,
};

const LEASE: Duration = Duration::from_secs(30);
/// So short that it has lapsed by the next statement.
const LAPSED: Duration = Duration::ZERO;
const RETENTION: Duration = Duration::from_secs(3_600);

/// Runs the suite; `fresh` makes an empty ledger.
pub(crate) async fn run<F, L>(fresh: F)
where
    F: AsyncFn() -> L,
    L: Ledger + 'static,
{
    an_accepted_export_can_be_read_by_its_organisation_alone(&fresh().await).await;
    a_full_queue_takes_nothing(&fresh().await).await;
    exports_are_claimed_once_and_in_order(&fresh().await).await;
    racing_claims_never_share_an_export(Arc::new(fresh().await)).await;
    a_completed_export_has_its_receipt(&fresh().await).await;
    a_lost_lease_changes_nothing(&fresh().await).await;
    failures_are_counted_to_the_end(&fresh().await).await;
    handing_back_counts_nothing(&fresh().await).await;
    silent_workers_lose_their_exports(&fresh().await).await;
    lists_are_newest_first_and_paged(&fresh().await).await;
    uploads_are_stale_once_their_claim_is_over(&fresh().await).await;
    the_backlog_is_measured(&fresh().await).await;
    changes_are_heard(&fresh().await).await;
}

fn org(name: &str) -> OrgId {
    OrgId::new(name)
}

async fn enqueue(ledger: &dyn Ledger, org_name: &str, max_attempts: u32) -> Export {
    let query = serde_json::from_value(json!({
        "dataset": "sessions",
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
        "filters": [{ "field": "status", "op": "eq", "value": "it's" }],
        "limit": null,
    }));
    let new = NewExport {
        org: org(org_name),
        query: query.expect("a query"),
        format: Format::Csv,
        filename: "sessions.csv".to_owned(),
        max_attempts,
    };
    match ledger.enqueue(new, 1_000).await.expect("the ledger") {
        Enqueued::Accepted(export) => *export,
        Enqueued::QueueFull => panic!("the queue is not full"),
    }
}

async fn claim(ledger: &dyn Ledger, lease_for: Duration) -> Claim {
    let claim = ledger.claim_next(lease_for).await.expect("the ledger");
    claim.expect("an export that waits")
}

async fn read(ledger: &dyn Ledger, id: ExportId) -> Export {
    let export = ledger.get(&org("a"), id).await.expect("the ledger");
    export.expect("an export of a")
}

fn receipt(lease: &Lease) -> Receipt {
    Receipt {
        object_key: lease.object_key(Format::Csv),
        row_count: 3,
        limit_reached: false,
        size_bytes: 42,
        sha256: "ab".repeat(32),
    }
}

fn failure() -> Failure {
    Failure {
        code: FailureCode::Internal,
        detail: "It did not work.".to_owned(),
    }
}

fn is_lost<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::LeaseLost(_)))
}

async fn an_accepted_export_can_be_read_by_its_organisation_alone(ledger: &dyn Ledger) {
    let export = enqueue(ledger, "a", 5).await;
    assert_eq!(export.status, ExportStatus::Queued);
    assert_eq!((export.epoch, export.failures, export.attempt()), (0, 0, 1));
    let stored = read(ledger, export.id).await;
    assert_eq!(stored.query, export.query);
    assert_eq!(stored.created_at, export.created_at);
    let other = ledger.get(&org("b"), export.id).await.expect("the ledger");
    assert!(other.is_none());
    let missing = ledger.get(&org("a"), ExportId::generate()).await;
    assert!(missing.expect("the ledger").is_none());
}

async fn a_full_queue_takes_nothing(ledger: &dyn Ledger) {
    let first = enqueue(ledger, "a", 5).await;
    let new = NewExport {
        org: org("a"),
        query: first.query,
        format: Format::Json,
        filename: "x.json".to_owned(),
        max_attempts: 1,
    };
    let refused = ledger.enqueue(new.clone(), 1).await.expect("the ledger");
    assert!(matches!(refused, Enqueued::QueueFull));
    assert_eq!(ledger.backlog().await.expect("the ledger").queued, 1);
    claim(ledger, LEASE).await;
    let accepted = ledger.enqueue(new, 1).await.expect("the ledger");
    assert!(
        matches!(accepted, Enqueued::Accepted(_)),
        "what runs does not wait"
    );
}

async fn exports_are_claimed_once_and_in_order(ledger: &dyn Ledger) {
    let first = enqueue(ledger, "a", 5).await;
    let second = enqueue(ledger, "a", 5).await;
    let claimed = claim(ledger, LEASE).await;
    assert_eq!(claimed.export.id, first.id);
    assert_eq!(claimed.export.status, ExportStatus::Running);
    assert_eq!((claimed.lease.epoch, claimed.export.epoch), (1, 1));
    assert!(claimed.export.started_at.is_some());
    assert_eq!(claim(ledger, LEASE).await.export.id, second.id);
    let none = ledger.claim_next(LEASE).await.expect("the ledger");
    assert!(none.is_none());
}

async fn racing_claims_never_share_an_export(ledger: Arc<dyn Ledger>) {
    const EXPORTS: usize = 20;
    for _ in 0..EXPORTS {
        enqueue(ledger.as_ref(), "a", 5).await;
    }
    let claims = (0..EXPORTS + 5).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.claim_next(LEASE).await })
    });
    let mut claimed = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        let claim = claim.await.expect("no panic").expect("the ledger");
        claimed.extend(claim.map(|claim| claim.export.id));
    }
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), EXPORTS);
}

async fn a_completed_export_has_its_receipt(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let Claim { lease, .. } = claim(ledger, LEASE).await;
    let now = crate::ledger::whole_micros(Utc::now());
    let progress = Progress {
        rows: 2,
        bytes: 20,
        estimated_rows: Some(3),
    };
    ledger
        .record_snapshot(&lease, now, Some(now))
        .await
        .expect("held");
    ledger.renew(&lease, LEASE, progress).await.expect("held");
    let running = read(ledger, lease.export_id).await;
    assert_eq!(running.progress, progress);
    assert_eq!(running.materialized_at, Some(now));
    assert_eq!(running.source_updated_at, Some(now));
    assert!(running.receipt.is_none());

    let receipt = receipt(&lease);
    ledger
        .complete(&lease, &receipt, RETENTION)
        .await
        .expect("held");
    let done = read(ledger, lease.export_id).await;
    assert_eq!(done.status, ExportStatus::Completed);
    assert_eq!(done.receipt, Some(receipt.clone()));
    assert_eq!((done.progress.rows, done.progress.bytes), (3, 42));
    let kept = done.expires_at.expect("a retention") - done.completed_at.expect("an end");
    assert_eq!(kept.to_std(), Ok(RETENTION));
    assert!(done.revision > running.revision);
    assert!(
        is_lost(&ledger.complete(&lease, &receipt, RETENTION).await),
        "once only"
    );
}

async fn a_lost_lease_changes_nothing(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let old = claim(ledger, LAPSED).await.lease;
    assert_eq!(
        ledger.requeue_lapsed(false).await.expect("the ledger"),
        [old.export_id]
    );
    let new = claim(ledger, LEASE).await.lease;
    assert_eq!((new.export_id, new.epoch), (old.export_id, old.epoch + 1));
    let before = read(ledger, new.export_id).await;

    let upload = UploadRecord {
        object_key: old.object_key(Format::Csv),
        upload_id: "u".to_owned(),
    };
    assert!(is_lost(
        &ledger.renew(&old, LEASE, Progress::default()).await
    ));
    assert!(is_lost(
        &ledger.record_snapshot(&old, Utc::now(), None).await
    ));
    assert!(is_lost(&ledger.record_upload(&old, &upload).await));
    assert!(is_lost(
        &ledger.complete(&old, &receipt(&old), RETENTION).await
    ));
    assert!(is_lost(&ledger.fail(&old, &failure(), None).await));
    assert!(is_lost(&ledger.hand_back(&old, Duration::ZERO).await));
    let after = read(ledger, new.export_id).await;
    assert_eq!(
        (after.revision, after.status),
        (before.revision, ExportStatus::Running)
    );
}

async fn failures_are_counted_to_the_end(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let retry = Some(Duration::ZERO);
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Queued);
    let waiting = read(ledger, lease.export_id).await;
    assert_eq!((waiting.failures, waiting.attempt()), (1, 2));
    assert_eq!(waiting.failure, None, "it has not failed yet");

    let lease = claim(ledger, LEASE).await.lease;
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Failed, "the last attempt");
    let failed = read(ledger, lease.export_id).await;
    assert_eq!(failed.failure, Some(failure()));
    assert_eq!((failed.failures, failed.attempt()), (2, 2));
    assert!(failed.completed_at.is_some());

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let status = ledger.fail(&lease, &failure(), None).await.expect("held");
    assert_eq!(status, ExportStatus::Failed, "final at once");

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let later = Some(Duration::from_secs(600));
    ledger.fail(&lease, &failure(), later).await.expect("held");
    let early = ledger.claim_next(LEASE).await.expect("the ledger");
    assert!(early.is_none(), "its time has not come");
}

async fn handing_back_counts_nothing(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 1).await;
    let lease = claim(ledger, LEASE).await.lease;
    ledger
        .record_snapshot(&lease, Utc::now(), None)
        .await
        .expect("held");
    ledger
        .hand_back(&lease, Duration::ZERO)
        .await
        .expect("held");
    let waiting = read(ledger, lease.export_id).await;
    assert_eq!(
        (waiting.status, waiting.failures),
        (ExportStatus::Queued, 0)
    );
    assert_eq!(waiting.materialized_at, None, "the next attempt reads anew");
    assert_eq!(claim(ledger, LEASE).await.lease.epoch, lease.epoch + 1);
}

async fn silent_workers_lose_their_exports(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let none = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert!(none.is_empty(), "the lease runs");
    let taken = ledger.requeue_lapsed(true).await.expect("the ledger");
    assert_eq!(taken, [lease.export_id], "the sole process is gone");
    assert_eq!(read(ledger, lease.export_id).await.failures, 1);

    let lease = claim(ledger, LAPSED).await.lease;
    ledger.requeue_lapsed(false).await.expect("the ledger");
    let lost = read(ledger, lease.export_id).await;
    assert_eq!(lost.status, ExportStatus::Failed);
    assert_eq!(
        lost.failure.map(|failure| failure.code),
        Some(FailureCode::WorkerLost)
    );
}

async fn lists_are_newest_first_and_paged(ledger: &dyn Ledger) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(enqueue(ledger, "a", 5).await.id);
        enqueue(ledger, "b", 5).await;
    }
    ids.reverse();
    let mut page = Page {
        status: None,
        dataset: None,
        before: None,
        limit: 2,
    };
    let mut seen = Vec::new();
    loop {
        let exports = ledger.list(&org("a"), &page).await.expect("the ledger");
        let Some(last) = exports.last() else { break };
        page.before = Some(last.id);
        seen.extend(exports.iter().map(|export| export.id));
    }
    assert_eq!(seen, ids);

    claim(ledger, LEASE).await;
    let running = Page {
        status: Some(ExportStatus::Running),
        before: None,
        limit: 100,
        ..page
    };
    let running_ids = ledger.list(&org("a"), &running).await.expect("the ledger");
    assert_eq!(running_ids.len(), 1);
    let elsewhere = Page {
        dataset: Some("elsewhere".to_owned()),
        ..running
    };
    let none = ledger
        .list(&org("a"), &elsewhere)
        .await
        .expect("the ledger");
    assert!(none.is_empty());
}

async fn uploads_are_stale_once_their_claim_is_over(ledger: &dyn Ledger) {
    let begin = async || {
        enqueue(ledger, "a", 5).await;
        let lease = claim(ledger, LEASE).await.lease;
        let upload = UploadRecord {
            object_key: lease.object_key(Format::Csv),
            upload_id: "some upload".to_owned(),
        };
        ledger.record_upload(&lease, &upload).await.expect("held");
        (lease, upload)
    };
    let (published, _) = begin().await;
    ledger
        .complete(&published, &receipt(&published), RETENTION)
        .await
        .expect("held");
    let (lease, upload) = begin().await;
    assert!(ledger.stale_uploads().await.expect("the ledger").is_empty());
    ledger.fail(&lease, &failure(), None).await.expect("held");
    assert_eq!(
        ledger.stale_uploads().await.expect("the ledger"),
        std::slice::from_ref(&upload)
    );
    ledger.forget_upload(&upload).await.expect("the ledger");
    assert!(ledger.stale_uploads().await.expect("the ledger").is_empty());
}

async fn the_backlog_is_measured(ledger: &dyn Ledger) {
    assert_eq!(
        ledger.backlog().await.expect("the ledger").drain_rate(),
        None
    );
    for _ in 0..3 {
        enqueue(ledger, "a", 5).await;
    }
    claim(ledger, LEASE).await;
    claim(ledger, LEASE).await;
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!((backlog.queued, backlog.claimed), (1, 2));
    assert!(backlog.drain_rate().is_some_and(|rate| rate > 0.0));
}

async fn changes_are_heard(ledger: &dyn Ledger) {
    let mut changes = ledger.changes();
    let export = enqueue(ledger, "a", 5).await;
    assert_eq!(changes.recv().await, Ok(export.id));
    claim(ledger, LEASE).await;
    assert_eq!(changes.recv().await, Ok(export.id));
    ledger.check().await.expect("a migrated database");
}
