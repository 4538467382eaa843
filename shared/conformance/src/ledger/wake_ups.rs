//! Every wait of an export has a wake-up on its way.

use std::time::Duration;

use waybill_ledger::HandBack;
use waybill_ledger::export::ExportStatus;

use super::exports::{LAPSED, LEASE, claim, enqueue, failure, new_export, read, terms};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    every_wait_has_one_wake_up(&fresh().await).await;
    without_a_wake_up_nothing_happened(&fresh().await).await;
}

async fn every_wait_has_one_wake_up(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    enqueue(ledger, "a", 5).await;
    assert_eq!(fixture.queue.wake_ups(), 1);
    let lease = claim(ledger, LEASE).await.lease;
    let retry = Some(Duration::from_secs(600));
    ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(fixture.queue.wake_ups(), 2);
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger
        .hand_back(&lease, Duration::ZERO, HandBack::Outage)
        .await;
    back.expect("held");
    assert_eq!(fixture.queue.wake_ups(), 4);
    let lease = claim(ledger, LAPSED).await.lease;
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [lease.export_id()]);
    assert_eq!(fixture.queue.wake_ups(), 5);

    // Nothing to do: what waits has a wake-up on its way …
    let again = ledger.wake_waiting(Duration::ZERO).await;
    assert_eq!(again.expect("the ledger"), 0);
    // … until deliveries are lost.
    fixture.queue.lose_wake_ups();
    for expected in [1, 0] {
        let again = ledger.wake_waiting(Duration::ZERO).await;
        assert_eq!(again.expect("the ledger"), expected);
    }
    // What was delivered is forgotten after a while.
    fixture.queue.age_wake_ups();
    let again = ledger.wake_waiting(Duration::ZERO).await;
    assert_eq!(again.expect("the ledger"), 1);
    assert_eq!(fixture.queue.wake_ups(), 1, "the new one alone");
}

async fn without_a_wake_up_nothing_happened(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    fixture.queue.break_down();
    assert!(ledger.enqueue(new_export("a", 5), &terms()).await.is_err());
    let retry = Some(Duration::ZERO);
    assert!(ledger.fail(&lease, &failure(), retry).await.is_err());
    assert!(
        ledger
            .hand_back(&lease, Duration::ZERO, HandBack::Outage)
            .await
            .is_err()
    );
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!(backlog.queued(), 0, "no export waits unheard");
    let export = read(ledger, lease.export_id()).await;
    assert_eq!((export.status, export.failures), (ExportStatus::Running, 0));
}
