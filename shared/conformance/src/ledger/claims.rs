//! Who works on an export, and what a claim is worth.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use waybill_ledger::export::{ExportStatus, Progress};
use waybill_ledger::{Claim, HandBack, Lanes, Ledger, NewExport, SnapshotRecord};

use super::exports::{
    LAPSED, LEASE, RETENTION, claim, enqueue, failure, is_lost, new_export, read, receipt, record,
    snapshot, whole_micros,
};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    exports_are_claimed_once_and_in_order(fresh().await.ledger.as_ref()).await;
    racing_processes_never_share_an_export(&fresh().await).await;
    a_completed_export_has_its_receipt(fresh().await.ledger.as_ref()).await;
    a_lost_lease_changes_nothing(fresh().await.ledger.as_ref()).await;
    an_estimate_stays_until_there_is_a_better_one(fresh().await.ledger.as_ref()).await;
}

async fn exports_are_claimed_once_and_in_order(ledger: &dyn Ledger) {
    let first = enqueue(ledger, "a", 5).await;
    let second = enqueue(ledger, "a", 5).await;
    let claimed = claim(ledger, LEASE).await;
    assert_eq!(claimed.export.id, first.id);
    assert_eq!(claimed.export.status, ExportStatus::Running);
    assert_eq!((claimed.lease.epoch(), claimed.export.epoch), (1, 1));
    assert!(claimed.export.started_at.is_some());
    assert_eq!(claim(ledger, LEASE).await.export.id, second.id);
    let none = ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger");
    assert!(none.is_none());
}

async fn racing_processes_never_share_an_export(fixture: &Fixture) {
    const EXPORTS: usize = 20;
    let both = [&fixture.ledger, &fixture.other];
    let enqueues = (0..EXPORTS).map(|turn| {
        let ledger = Arc::clone(both[turn % 2]);
        tokio::spawn(async move { enqueue(ledger.as_ref(), "a", 5).await.id })
    });
    let claims = (0..EXPORTS + 10).map(|turn| {
        let ledger = Arc::clone(both[turn % 2]);
        tokio::spawn(async move { ledger.claim_next(LEASE, Lanes::Any).await })
    });
    let (enqueues, claims): (Vec<_>, Vec<_>) = (enqueues.collect(), claims.collect());
    let mut accepted = Vec::new();
    for enqueue in enqueues {
        accepted.push(enqueue.await.expect("no panic"));
    }
    let mut claimed = Vec::new();
    for claim in claims {
        let claim = claim.await.expect("no panic").expect("the ledger");
        claimed.extend(claim.map(|claim| claim.export.id));
    }
    // What was recorded after the claims went by.
    while let Some(claim) = fixture
        .ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger")
    {
        claimed.push(claim.export.id);
    }
    accepted.sort_unstable();
    claimed.sort_unstable();
    assert_eq!(claimed, accepted, "each once");
}

async fn a_completed_export_has_its_receipt(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let Claim { lease, .. } = claim(ledger, LEASE).await;
    let now = whole_micros(Utc::now());
    let progress = Progress {
        rows: 2,
        bytes: 20,
        estimated_rows: Some(3),
    };
    let snapshot = SnapshotRecord {
        materialized_at: now,
        source_updated_at: Some(now),
        ..snapshot(&lease)
    };
    let recorded = ledger.record_snapshot(&lease, &snapshot).await;
    recorded.expect("held");
    ledger.renew(&lease, LEASE, progress).await.expect("held");
    let running = read(ledger, lease.export_id()).await;
    ledger.renew(&lease, LEASE, progress).await.expect("held");
    let renewed = read(ledger, lease.export_id()).await;
    assert_eq!(renewed.revision, running.revision, "nothing to be seen");
    assert_eq!(running.progress, progress);
    assert_eq!(running.materialized_at, Some(now));
    assert_eq!(running.source_updated_at, Some(now));
    assert!(running.receipt.is_none());

    let receipt = receipt(&lease);
    ledger
        .complete(&lease, &receipt, RETENTION)
        .await
        .expect("held");
    let done = read(ledger, lease.export_id()).await;
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
        [old.export_id()]
    );
    let new = claim(ledger, LEASE).await.lease;
    assert_eq!(
        (new.export_id(), new.epoch()),
        (old.export_id(), old.epoch() + 1)
    );
    let before = read(ledger, new.export_id()).await;

    assert!(!ledger.holds(&old).await.expect("the ledger"));
    assert!(ledger.holds(&new).await.expect("the ledger"));
    assert!(is_lost(
        &ledger.renew(&old, LEASE, Progress::default()).await
    ));
    assert!(is_lost(&ledger.isolate(&old).await));
    let recorded = ledger.record_snapshot(&old, &snapshot(&old)).await;
    assert!(is_lost(&recorded));
    assert!(is_lost(&ledger.record_upload(&old, "u").await));
    assert!(is_lost(
        &ledger.complete(&old, &receipt(&old), RETENTION).await
    ));
    assert!(is_lost(&ledger.fail(&old, &failure(), None).await));
    assert!(is_lost(
        &ledger
            .hand_back(&old, Duration::ZERO, HandBack::Outage)
            .await
    ));
    let after = read(ledger, new.export_id()).await;
    assert_eq!(
        (after.revision, after.status),
        (before.revision, ExportStatus::Running)
    );
}

async fn an_estimate_stays_until_there_is_a_better_one(ledger: &dyn Ledger) {
    let new = NewExport {
        estimated_rows: Some(7),
        ..new_export("a", 5)
    };
    let accepted = record(ledger, new).await;
    assert_eq!(accepted.progress.estimated_rows, Some(7));
    let lease = claim(ledger, LEASE).await.lease;
    let estimate = async || {
        read(ledger, lease.export_id())
            .await
            .progress
            .estimated_rows
    };
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    let renewed = ledger.renew(&lease, LEASE, Progress::default()).await;
    renewed.expect("held");
    assert_eq!(estimate().await, Some(7));
    let better = SnapshotRecord {
        estimated_rows: Some(9),
        ..snapshot(&lease)
    };
    let recorded = ledger.record_snapshot(&lease, &better).await;
    recorded.expect("held");
    assert_eq!(estimate().await, Some(9));
}
