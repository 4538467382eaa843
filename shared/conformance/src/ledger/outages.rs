//! Outages of what exports need: what counts toward giving one up, and what does not.

use std::time::Duration;

use waybill_ledger::export::{ExportId, ExportStatus, Failure, FailureCode};
use waybill_ledger::{Enqueued, HandBack, Lanes, Ledger, Sharing, SourceOutage};

use super::exports::{LEASE, claim, enqueue, new_export, org, read, terms};
use super::fixture::Fixture;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(3_600);
/// The shortest outage that there is.
const SHORTEST: Duration = Duration::from_micros(1);

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    the_time_of_a_claim_that_ended_in_an_outage_counts(fresh().await.ledger.as_ref()).await;
    what_waits_for_its_source_is_given_up_unclaimed(&fresh().await).await;
    nothing_counts_while_another_worker_can_run_it(&fresh().await).await;
    an_outage_is_counted_once_and_no_longer_than_it_was_seen(&fresh().await).await;
    given_up_exports_answer_no_request(fresh().await.ledger.as_ref()).await;
}

pub(super) fn unavailable_too_long() -> Failure {
    Failure {
        code: FailureCode::UnavailableTooLong,
        detail: "It was away.".to_owned(),
    }
}

async fn give_up(ledger: &dyn Ledger, after: Duration) -> Vec<ExportId> {
    let given_up = ledger.give_up(after, &unavailable_too_long()).await;
    given_up.expect("the ledger")
}

/// Counts the outage of a source with one dataset; returns for how many exports.
async fn count(ledger: &dyn Ledger, source: &str, dataset: &str, lasted: Duration) -> u64 {
    let outage = SourceOutage {
        source,
        datasets: &[dataset.to_owned()],
        lasted,
    };
    ledger.count_outage(outage).await.expect("the ledger")
}

async fn the_time_of_a_claim_that_ended_in_an_outage_counts(ledger: &dyn Ledger) {
    let id = enqueue(ledger, "a", 1).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Shutdown);
    back.await.expect("held");
    assert!(
        give_up(ledger, Duration::ZERO).await.is_empty(),
        "no outage"
    );

    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Outage);
    back.await.expect("held");
    assert!(give_up(ledger, LONG).await.is_empty(), "it was a short one");

    // Together with the pause it is long enough, and the end comes before the pause is over.
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, LONG, HandBack::Outage);
    back.await.expect("held");
    let before = read(ledger, id).await;
    assert_eq!((before.status, before.failures), (ExportStatus::Queued, 0));
    assert_eq!(give_up(ledger, LONG).await, [id]);
    let failed = read(ledger, id).await;
    assert_eq!(failed.status, ExportStatus::Failed);
    assert_eq!(failed.failure, Some(unavailable_too_long()));
    assert_eq!(failed.failures, 0, "an outage is none of its failures");
    assert!(failed.completed_at.is_some() && failed.revision > before.revision);
    assert!(give_up(ledger, Duration::ZERO).await.is_empty(), "once");

    // What runs is not ended: it may well come to an end of its own.
    let id = enqueue(ledger, "a", 1).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Outage);
    back.await.expect("held");
    let lease = claim(ledger, LEASE).await.lease;
    assert!(give_up(ledger, Duration::ZERO).await.is_empty(), "it runs");
    let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Shutdown);
    back.await.expect("held");
    assert_eq!(give_up(ledger, Duration::ZERO).await, [id], "all together");
}

async fn what_waits_for_its_source_is_given_up_unclaimed(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    let id = enqueue(ledger, "a", 5).await.id;
    assert_eq!(count(ledger, "s", "another", LONG).await, 0);
    assert!(give_up(ledger, Duration::ZERO).await.is_empty());
    assert_eq!(count(ledger, "s", "sessions", LONG).await, 1);
    assert_eq!(give_up(fixture.other.as_ref(), SHORTEST).await, [id]);
    let failed = read(ledger, id).await;
    assert_eq!((failed.status, failed.epoch), (ExportStatus::Failed, 0));

    // One whose time has not come waits for that, and one that runs does not wait.
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    assert_eq!(count(ledger, "s", "sessions", LONG).await, 0);
    let back = ledger.hand_back(&lease, LONG, HandBack::Shutdown);
    back.await.expect("held");
    assert_eq!(count(ledger, "s", "sessions", LONG).await, 0);
    assert!(give_up(ledger, Duration::ZERO).await.is_empty());
}

async fn nothing_counts_while_another_worker_can_run_it(fixture: &Fixture) {
    let (ledger, other) = (fixture.ledger.as_ref(), fixture.other.as_ref());
    enqueue(ledger, "a", 5).await;
    for _ in 0..2 {
        let recorded = other.record_runnable(&["t", "s"]).await;
        recorded.expect("the ledger");
    }
    assert_eq!(count(ledger, "s", "sessions", LONG).await, 0);
    assert!(give_up(ledger, Duration::ZERO).await.is_empty());
    assert_eq!(
        count(ledger, "u", "sessions", LONG).await,
        1,
        "not this one"
    );
    other.record_runnable(&[]).await.expect("nothing to record");
}

async fn an_outage_is_counted_once_and_no_longer_than_it_was_seen(fixture: &Fixture) {
    let (ledger, other) = (fixture.ledger.as_ref(), fixture.other.as_ref());
    enqueue(ledger, "a", 5).await;
    assert_eq!(count(ledger, "s", "sessions", Duration::ZERO).await, 1);
    assert!(give_up(ledger, Duration::ZERO).await.is_empty(), "none yet");
    // Both have known for long, but the export is not there for so long.
    for _ in 0..20 {
        count(ledger, "s", "sessions", LONG / 2).await;
        count(other, "s", "sessions", LONG / 2).await;
    }
    assert!(give_up(ledger, LONG / 2).await.is_empty());
    assert_eq!(give_up(ledger, SHORTEST).await.len(), 1);
}

async fn given_up_exports_answer_no_request(ledger: &dyn Ledger) {
    let sharing = Sharing { reuse: Some(LONG) };
    let mut shared = terms();
    shared.sharing = Some(sharing);
    let accept = async || {
        let new = new_export("a", 5);
        match ledger.enqueue(new, &shared).await.expect("the ledger") {
            Enqueued::Accepted(export) => Ok(export.id),
            other => Err(other),
        }
    };
    let first = accept().await.expect("a new one");
    accept().await.expect_err("it joins");
    assert_eq!(count(ledger, "s", "sessions", LONG).await, 1);
    assert_eq!(give_up(ledger, SHORTEST).await, [first]);
    let second = accept().await.expect("a new one");
    assert_ne!(first, second);
    let claimed = ledger.claim_next(LEASE, Lanes::Any).await;
    let claimed = claimed.expect("the ledger").expect("the second");
    assert_eq!(claimed.export.id, second, "what was given up never runs");
    assert!(ledger.delete(&org("a"), first).await.expect("the ledger"));
}
