//! What counts as a failure of an export, and what does not.

use std::time::Duration;

use waybill_ledger::export::{ExportStatus, FailureCode};
use waybill_ledger::{HandBack, Lanes, Ledger};

use super::exports::{LAPSED, LEASE, claim, enqueue, failure, read, snapshot};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    failures_are_counted_to_the_end(fresh().await.ledger.as_ref()).await;
    handing_back_counts_nothing(fresh().await.ledger.as_ref()).await;
    silent_workers_lose_their_exports(fresh().await.ledger.as_ref()).await;
    only_what_died_alone_has_failed(fresh().await.ledger.as_ref()).await;
}

async fn failures_are_counted_to_the_end(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let retry = Some(Duration::ZERO);
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Queued);
    let waiting = read(ledger, lease.export_id()).await;
    assert_eq!((waiting.failures, waiting.attempt()), (1, 2));
    assert_eq!(waiting.failure, None, "it has not failed yet");

    let lease = claim(ledger, LEASE).await.lease;
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Failed, "the last attempt");
    let failed = read(ledger, lease.export_id()).await;
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
    let early = ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger");
    assert!(early.is_none(), "its time has not come");
}

async fn handing_back_counts_nothing(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 1).await;
    let lease = claim(ledger, LEASE).await.lease;
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    ledger
        .hand_back(&lease, Duration::ZERO, HandBack::Outage)
        .await
        .expect("held");
    let waiting = read(ledger, lease.export_id()).await;
    assert_eq!(
        (waiting.status, waiting.failures),
        (ExportStatus::Queued, 0)
    );
    assert_eq!(waiting.materialized_at, None, "the next attempt reads anew");
    assert_eq!(claim(ledger, LEASE).await.lease.epoch(), lease.epoch() + 1);
}

async fn silent_workers_lose_their_exports(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let none = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert!(none.is_empty(), "the lease runs");
    let taken = ledger.requeue_lapsed(true).await.expect("the ledger");
    assert_eq!(taken, [lease.export_id()], "the sole process is gone");
    let waiting = read(ledger, lease.export_id()).await;
    assert_eq!(
        (waiting.status, waiting.failures, waiting.suspect),
        (ExportStatus::Queued, 0, true),
        "a neighbour may have done it"
    );
}

async fn only_what_died_alone_has_failed(ledger: &dyn Ledger) {
    let id = enqueue(ledger, "a", 2).await.id;
    let die = async |alone: bool| {
        let claimed = claim(ledger, LAPSED).await;
        if alone {
            ledger.isolate(&claimed.lease).await.expect("held");
        }
        ledger.requeue_lapsed(false).await.expect("the ledger");
        let export = read(ledger, id).await;
        (claimed.export.suspect, export.failures, export.status)
    };
    for was_suspect in [false, true, true] {
        let died = die(false).await;
        assert_eq!(died, (was_suspect, 0, ExportStatus::Queued));
    }
    assert_eq!(die(true).await, (true, 1, ExportStatus::Queued));
    assert_eq!(die(false).await, (true, 1, ExportStatus::Queued));
    let handed_back = claim(ledger, LEASE).await.lease;
    ledger.isolate(&handed_back).await.expect("held");
    let back = ledger
        .hand_back(&handed_back, Duration::ZERO, HandBack::Outage)
        .await;
    back.expect("held");
    let died = die(false).await;
    assert_eq!(died, (true, 1, ExportStatus::Queued), "alone then, not now");
    assert_eq!(die(true).await, (true, 2, ExportStatus::Failed));
    let lost = read(ledger, id).await;
    assert_eq!(
        lost.failure.map(|failure| failure.code),
        Some(FailureCode::WorkerLost)
    );
}
