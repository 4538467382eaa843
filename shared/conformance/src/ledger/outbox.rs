//! What has to be told: each end of an export once, in the transaction that makes it, and to one teller at
//! a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use waybill_ledger::export::{Export, ExportId, ExportStatus};
use waybill_ledger::{Event, HandBack, Ledger, OutboxEvent};

use super::exports::{LAPSED, LEASE, RETENTION, claim, enqueue, failure, is_lost, org, receipt};
use super::fixture::Fixture;
use super::outages::unavailable_too_long;

const HOLD: Duration = Duration::from_secs(60);
/// So short that it is over by the next statement.
const NO_HOLD: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(3_600);

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    every_end_is_told_with_whose_it_is(fresh().await.ledger.as_ref()).await;
    what_is_no_end_is_not_told(fresh().await.ledger.as_ref()).await;
    what_changes_nothing_is_not_told(fresh().await.ledger.as_ref()).await;
    an_event_is_held_by_one_teller_until_the_hold_is_over(&fresh().await).await;
    a_later_event_of_an_export_waits_for_the_earlier(fresh().await.ledger.as_ref()).await;
    a_postponed_event_says_who_has_heard(fresh().await.ledger.as_ref()).await;
    tellers_that_race_never_share_an_event(&fresh().await).await;
    an_outbox_that_nobody_empties_does_not_grow_for_ever(fresh().await.ledger.as_ref()).await;
}

async fn take(ledger: &dyn Ledger, hold: Duration) -> Vec<OutboxEvent> {
    ledger.take_events(hold).await.expect("the ledger")
}

/// Takes everything and removes it; returns what it was.
async fn told(ledger: &dyn Ledger) -> Vec<(ExportId, Event)> {
    let mut told = Vec::new();
    loop {
        let events = take(ledger, HOLD).await;
        if events.is_empty() {
            return told;
        }
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        ledger.remove_events(&ids).await.expect("the ledger");
        told.extend(events.iter().map(|event| (event.export_id, event.event)));
    }
}

async fn cancelled(ledger: &dyn Ledger) -> Export {
    let export = enqueue(ledger, "a", 5).await;
    let ended = ledger.cancel(&org("a"), export.id).await;
    ended.expect("the ledger").expect("an export of a");
    export
}

async fn completed(ledger: &dyn Ledger, retention: Duration) -> ExportId {
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), retention).await;
    published.expect("held");
    lease.export_id()
}

async fn every_end_is_told_with_whose_it_is(ledger: &dyn Ledger) {
    let id = completed(ledger, Duration::ZERO).await;
    let event = &take(ledger, HOLD).await[0];
    assert_eq!((event.event, event.export_id), (Event::Completed, id));
    assert_eq!((event.org.as_str(), event.attempts), ("a", 1));
    assert_eq!((&event.failure_code, event.heard.len()), (&None, 0));
    ledger.remove_events(&[event.id]).await.expect("the ledger");
    assert_eq!(ledger.expire().await.expect("the ledger"), 1);
    assert_eq!(told(ledger).await, [(id, Event::Expired)]);

    // In each way in which one fails.
    enqueue(ledger, "b", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let failed = ledger.fail(&lease, &failure(), None).await;
    assert_eq!(failed.expect("held"), ExportStatus::Failed);
    let event = &take(ledger, HOLD).await[0];
    assert_eq!((event.event, event.org.as_str()), (Event::Failed, "b"));
    assert_eq!(event.failure_code.as_deref(), Some("internal"));
    ledger.remove_events(&[event.id]).await.expect("the ledger");

    let dies = enqueue(ledger, "a", 1).await.id;
    let lease = claim(ledger, LAPSED).await.lease;
    ledger.isolate(&lease).await.expect("held");
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [dies]);
    assert_eq!(told(ledger).await, [(dies, Event::Failed)]);

    let waits = enqueue(ledger, "a", 5).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, LONG, HandBack::Outage).await;
    back.expect("held");
    let given_up = ledger.give_up(LONG, &unavailable_too_long()).await;
    assert_eq!(given_up.expect("the ledger"), [waits]);
    assert_eq!(told(ledger).await, [(waits, Event::Failed)]);

    let stopped = cancelled(ledger).await.id;
    assert_eq!(told(ledger).await, [(stopped, Event::Cancelled)]);

    // Deleted while it waits, while it runs and while it has a file.
    let queued = enqueue(ledger, "a", 5).await.id;
    assert!(ledger.delete(&org("a"), queued).await.expect("the ledger"));
    assert_eq!(told(ledger).await, [(queued, Event::Deleted)]);
    let running = enqueue(ledger, "a", 5).await.id;
    claim(ledger, LEASE).await;
    assert!(ledger.delete(&org("a"), running).await.expect("the ledger"));
    assert_eq!(told(ledger).await, [(running, Event::Deleted)]);
    let stored = completed(ledger, RETENTION).await;
    assert!(ledger.delete(&org("a"), stored).await.expect("the ledger"));
    assert_eq!(
        told(ledger).await,
        [(stored, Event::Completed), (stored, Event::Deleted)]
    );
}

async fn what_is_no_end_is_not_told(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let retried = ledger.fail(&lease, &failure(), Some(Duration::ZERO)).await;
    assert_eq!(retried.expect("held"), ExportStatus::Queued);
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Outage);
    back.await.expect("held");
    claim(ledger, LAPSED).await;
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed.len(), 1);
    assert!(take(ledger, HOLD).await.is_empty());
}

async fn what_changes_nothing_is_not_told(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let late = claim(ledger, LAPSED).await.lease;
    ledger.requeue_lapsed(false).await.expect("the ledger");
    let published = ledger.complete(&late, &receipt(&late), RETENTION).await;
    assert!(is_lost(&published));
    assert!(is_lost(&ledger.fail(&late, &failure(), None).await));
    let id = late.export_id();
    let theirs = ledger.cancel(&org("b"), id).await.expect("the ledger");
    assert!(theirs.is_none());
    assert!(!ledger.delete(&org("b"), id).await.expect("the ledger"));
    assert_eq!(ledger.expire().await.expect("the ledger"), 0);
    assert!(take(ledger, HOLD).await.is_empty());

    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    let again = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    assert!(is_lost(&again));
    ledger.cancel(&org("a"), id).await.expect("the ledger");
    assert_eq!(told(ledger).await, [(id, Event::Completed)]);

    // What was cancelled is cancelled once, and deleted without another word.
    let stopped = cancelled(ledger).await.id;
    ledger.cancel(&org("a"), stopped).await.expect("the ledger");
    assert!(ledger.delete(&org("a"), stopped).await.expect("the ledger"));
    assert_eq!(told(ledger).await, [(stopped, Event::Cancelled)]);
    cancelled(ledger).await;
    told(ledger).await;
    assert_eq!(ledger.purge(Duration::ZERO).await.expect("the ledger"), 1);
    assert!(take(ledger, HOLD).await.is_empty());
}

async fn an_event_is_held_by_one_teller_until_the_hold_is_over(fixture: &Fixture) {
    let (ledger, other) = (fixture.ledger.as_ref(), fixture.other.as_ref());
    cancelled(ledger).await;
    let first = take(ledger, HOLD).await;
    assert_eq!(first.len(), 1);
    assert!(take(other, HOLD).await.is_empty(), "it is held");
    ledger.remove_events(&[first[0].id]).await.expect("removed");

    // A teller that dies.
    cancelled(ledger).await;
    let dead = take(ledger, NO_HOLD).await;
    let next = take(other, HOLD).await;
    assert_eq!(
        (next[0].id, next[0].event),
        (dead[0].id, dead[0].event),
        "the same event"
    );
    assert_eq!((dead[0].attempts, next[0].attempts), (1, 2));
    // Late, it changes nothing any more: the other one holds it.
    let late = ledger.postpone_event(&dead[0], &["x"], Duration::ZERO);
    late.await.expect("the ledger");
    assert!(take(ledger, HOLD).await.is_empty());
}

async fn a_later_event_of_an_export_waits_for_the_earlier(ledger: &dyn Ledger) {
    let id = completed(ledger, Duration::ZERO).await;
    assert_eq!(ledger.expire().await.expect("the ledger"), 1);
    let earlier = take(ledger, HOLD).await;
    assert_eq!(earlier.len(), 1);
    assert_eq!(earlier[0].event, Event::Completed);
    assert!(take(ledger, HOLD).await.is_empty());
    // Another export's does not.
    let another = cancelled(ledger).await.id;
    assert_eq!(told(ledger).await, [(another, Event::Cancelled)]);
    let removed = ledger.remove_events(&[earlier[0].id]).await;
    removed.expect("the ledger");
    assert_eq!(told(ledger).await, [(id, Event::Expired)]);
}

async fn a_postponed_event_says_who_has_heard(ledger: &dyn Ledger) {
    cancelled(ledger).await;
    let first = &take(ledger, HOLD).await[0];
    let postponed = ledger.postpone_event(first, &["one", "two"], Duration::ZERO);
    postponed.await.expect("the ledger");
    let second = &take(ledger, HOLD).await[0];
    assert_eq!((second.id, second.attempts), (first.id, 2));
    assert_eq!(second.heard, ["one", "two"]);
    assert_eq!(second.occurred_at, first.occurred_at);
    let postponed = ledger.postpone_event(second, &["one"], LONG).await;
    postponed.expect("the ledger");
    assert!(take(ledger, HOLD).await.is_empty(), "it is not due");
}

async fn tellers_that_race_never_share_an_event(fixture: &Fixture) {
    const EVENTS: usize = 150;
    let mut expected = HashSet::new();
    for _ in 0..EVENTS {
        expected.insert(cancelled(fixture.ledger.as_ref()).await.id);
    }
    let tellers = (0..8).map(|turn| {
        let ledger = Arc::clone([&fixture.ledger, &fixture.other][turn % 2]);
        tokio::spawn(async move { told(ledger.as_ref()).await })
    });
    let tellers: Vec<_> = tellers.collect();
    let mut heard = Vec::new();
    for teller in tellers {
        let told = teller.await.expect("no panic");
        heard.extend(told.into_iter().map(|(id, _)| id));
    }
    // What was locked while another one looked went by.
    heard.extend(
        told(fixture.ledger.as_ref())
            .await
            .iter()
            .map(|told| told.0),
    );
    assert_eq!(heard.len(), EVENTS, "each once");
    assert_eq!(heard.into_iter().collect::<HashSet<_>>(), expected);
}

async fn an_outbox_that_nobody_empties_does_not_grow_for_ever(ledger: &dyn Ledger) {
    for _ in 0..2 {
        cancelled(ledger).await;
    }
    assert_eq!(ledger.drop_events(LONG).await.expect("the ledger"), 0);
    assert_eq!(
        ledger.drop_events(Duration::ZERO).await.expect("dropped"),
        2
    );
    assert!(take(ledger, HOLD).await.is_empty());
}
