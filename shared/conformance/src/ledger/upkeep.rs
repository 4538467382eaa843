//! What is left over and has to go, and what a clock that was set back holds up.

use std::time::Duration;

use waybill_ledger::export::ExportStatus;
use waybill_ledger::{HandBack, Lanes, Ledger, OrphanedObject, OrphanedUpload};
use waybill_report::encode::Format;

use super::exports::{
    LEASE, RETENTION, claim, enqueue, failure, org, read, receipt, snapshot, taken,
};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    uploads_are_left_over_once_their_claim_is_over(fresh().await.ledger.as_ref()).await;
    an_orphan_is_held_swept_again_and_forgotten(&fresh().await).await;
    files_and_records_are_kept_for_so_long(fresh().await.ledger.as_ref()).await;
    a_clock_that_was_set_back_holds_nothing_up(fresh().await.ledger.as_ref()).await;
}

async fn uploads_are_left_over_once_their_claim_is_over(ledger: &dyn Ledger) {
    let begin = async || {
        enqueue(ledger, "a", 5).await;
        let lease = claim(ledger, LEASE).await.lease;
        let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
        recorded.expect("held");
        lease
    };
    let published = begin().await;
    ledger.record_upload(&published, "u").await.expect("held");
    ledger
        .complete(&published, &receipt(&published), RETENTION)
        .await
        .expect("held");
    let (unrecorded, recorded) = (begin().await, begin().await);
    ledger.record_upload(&recorded, "v").await.expect("held");
    assert!(taken(ledger).await.is_empty());
    let late = begin().await;
    ledger
        .hand_back(&late, LEASE, HandBack::Outage)
        .await
        .expect("held");
    let resting = ledger.take_orphans(LEASE, LEASE).await;
    assert!(resting.expect("the ledger").is_empty(), "not yet");
    for (lease, upload) in [
        (unrecorded, OrphanedUpload::Unrecorded),
        (recorded, OrphanedUpload::Recorded("v".to_owned())),
    ] {
        ledger.fail(&lease, &failure(), None).await.expect("held");
        let expected = OrphanedObject {
            object_key: lease.object_key(Format::Csv),
            upload,
            sweeps: 0,
        };
        assert_eq!(taken(ledger).await, [expected]);
    }
}

async fn an_orphan_is_held_swept_again_and_forgotten(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    let id = enqueue(ledger, "a", 5).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    assert!(ledger.delete(&org("a"), id).await.expect("the ledger"));

    let take = async |hold| {
        fixture
            .other
            .take_orphans(hold, Duration::ZERO)
            .await
            .expect("the ledger")
    };
    let orphan = take(Duration::ZERO).await.pop().expect("the file");
    assert_eq!(orphan.sweeps, 0);
    let again = take(LEASE).await;
    assert_eq!(
        again,
        std::slice::from_ref(&orphan),
        "its holder died with it"
    );
    assert!(take(LEASE).await.is_empty(), "held");
    let settle = async |sweep_again| {
        let settled = ledger.settle_orphan(&orphan, sweep_again).await;
        settled.expect("the ledger");
    };
    settle(Some(LEASE)).await;
    assert!(take(LEASE).await.is_empty(), "not yet");
    settle(Some(Duration::ZERO)).await;
    let looks: Vec<u32> = take(Duration::ZERO)
        .await
        .iter()
        .map(|l| l.sweeps)
        .collect();
    assert_eq!(looks, [2]);
    settle(None).await;
    assert!(take(Duration::ZERO).await.is_empty(), "forgotten");
}

async fn files_and_records_are_kept_for_so_long(ledger: &dyn Ledger) {
    let complete = async |retention| {
        enqueue(ledger, "a", 5).await;
        let lease = claim(ledger, LEASE).await.lease;
        let published = ledger.complete(&lease, &receipt(&lease), retention).await;
        published.expect("held");
        lease
    };
    let (kept, over) = (complete(RETENTION).await, complete(Duration::ZERO).await);
    let failed = enqueue(ledger, "a", 5).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    ledger.fail(&lease, &failure(), None).await.expect("held");

    assert_eq!(ledger.expire().await.expect("the ledger"), 1);
    assert_eq!(ledger.expire().await.expect("the ledger"), 0);
    let expired = read(ledger, over.export_id()).await;
    assert_eq!(expired.status, ExportStatus::Expired);
    assert!(expired.receipt.is_some(), "what it was is still known");
    let left: Vec<String> = taken(ledger)
        .await
        .into_iter()
        .map(|l| l.object_key)
        .collect();
    assert_eq!(left, [over.object_key(Format::Csv)]);

    assert_eq!(ledger.purge(RETENTION).await.expect("the ledger"), 0);
    assert_eq!(ledger.purge(Duration::ZERO).await.expect("the ledger"), 2);
    for (id, is_there) in [
        (kept.export_id(), true),
        (over.export_id(), false),
        (failed, false),
    ] {
        let found = ledger.get(&org("a"), id).await.expect("the ledger");
        assert_eq!(found.is_some(), is_there);
    }
}

async fn a_clock_that_was_set_back_holds_nothing_up(ledger: &dyn Ledger) {
    const FAR: Duration = Duration::from_secs(100_000);
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    ledger
        .hand_back(&lease, FAR, HandBack::Outage)
        .await
        .expect("held");
    assert!(
        ledger
            .claim_next(LEASE, Lanes::Any)
            .await
            .expect("the ledger")
            .is_none()
    );
    let bounded = ledger.bound_waits(RETENTION, LEASE).await;
    assert_eq!(bounded.expect("the ledger"), 1);
    claim(ledger, FAR).await;
    let bounded = ledger.bound_waits(RETENTION, Duration::ZERO).await;
    assert_eq!(bounded.expect("the ledger"), 1);
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [lease.export_id()]);
    let bounded = ledger.bound_waits(RETENTION, LEASE).await;
    assert_eq!(bounded.expect("the ledger"), 0);
}
