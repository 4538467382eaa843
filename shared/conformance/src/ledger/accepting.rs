//! Which of several requests start an export, and under which terms.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use waybill_report::caller::{KeyId, OrgId};

use waybill_ledger::export::ExportId;
use waybill_ledger::{Enqueued, HandBack, Ledger, NewExport, Sharing, Terms};

use super::exports::{
    LEASE, RETENTION, claim, enqueue, failure, new_export, org, receipt, snapshot, terms,
};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    a_full_queue_takes_nothing(fresh().await.ledger.as_ref()).await;
    identical_requests_join_until_the_data_is_read(fresh().await.ledger.as_ref()).await;
    what_was_read_once_is_never_joined_again(fresh().await.ledger.as_ref()).await;
    a_completed_export_is_reused_while_it_is_fresh(fresh().await.ledger.as_ref()).await;
    nobody_shares_with_another_key_or_organisation(fresh().await.ledger.as_ref()).await;
    of_racing_identical_requests_one_starts_an_export(&fresh().await).await;
    an_idempotency_key_has_one_outcome(fresh().await.ledger.as_ref()).await;
    an_idempotency_key_ends_with_its_export(fresh().await.ledger.as_ref()).await;
    of_racing_requests_with_one_key_one_starts_an_export(&fresh().await).await;
    an_organisation_has_no_more_than_it_may(&fresh().await).await;
    all_organisations_together_fill_the_queue_to_its_bound(&fresh().await).await;
}

fn sharing(reuse: Option<Duration>) -> Terms {
    Terms {
        sharing: Some(Sharing { reuse }),
        ..terms()
    }
}

fn keyed(key: &str) -> Terms {
    Terms {
        idempotency_key: Some(key.parse().expect("a key")),
        ..terms()
    }
}

async fn ask(ledger: &dyn Ledger, new: &NewExport, terms: &Terms) -> Enqueued {
    ledger
        .enqueue(new.clone(), terms)
        .await
        .expect("the ledger")
}

#[track_caller]
fn accepted(outcome: Enqueued) -> ExportId {
    match outcome {
        Enqueued::Accepted(export) => export.id,
        other => panic!("not a new export: {other:?}"),
    }
}

#[track_caller]
fn shared(outcome: Enqueued) -> ExportId {
    match outcome {
        Enqueued::Shared(export) => export.id,
        other => panic!("not shared: {other:?}"),
    }
}

#[track_caller]
fn replayed(outcome: Option<Enqueued>) -> ExportId {
    match outcome {
        Some(Enqueued::Replayed(export)) => export.id,
        other => panic!("not replayed: {other:?}"),
    }
}

fn other_request() -> NewExport {
    let mut new = new_export("a", 5);
    new.spec.query.dataset = "session_rows".to_owned();
    new
}

async fn a_full_queue_takes_nothing(ledger: &dyn Ledger) {
    let one = Terms {
        max_queued: 1,
        ..terms()
    };
    let first = enqueue(ledger, "a", 5).await;
    let new = NewExport {
        spec: first.spec,
        ..new_export("a", 1)
    };
    let refused = ledger.enqueue(new.clone(), &one).await.expect("the ledger");
    assert!(matches!(refused, Enqueued::QueueFull));
    assert_eq!(ledger.backlog().await.expect("the ledger").queued(), 1);
    claim(ledger, LEASE).await;
    let accepted = ledger.enqueue(new, &one).await.expect("the ledger");
    assert!(
        matches!(accepted, Enqueued::Accepted(_)),
        "what runs does not wait"
    );
}

async fn identical_requests_join_until_the_data_is_read(ledger: &dyn Ledger) {
    let (new, terms) = (new_export("a", 5), sharing(None));
    let first = accepted(ask(ledger, &new, &terms).await);
    assert_eq!(shared(ask(ledger, &new, &terms).await), first);
    let different = accepted(ask(ledger, &other_request(), &terms).await);
    assert_ne!(different, first);
    assert_ne!(
        accepted(ask(ledger, &new, &super::exports::terms()).await),
        first,
        "it was told to start one"
    );
    assert_eq!(
        shared(ask(ledger, &new, &terms).await),
        first,
        "nor does anybody join that one"
    );

    let lease = claim(ledger, LEASE).await.lease;
    assert_eq!(lease.export_id(), first);
    assert_eq!(
        shared(ask(ledger, &new, &terms).await),
        first,
        "it runs, but nothing was read"
    );
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    let second = accepted(ask(ledger, &new, &terms).await);
    assert_ne!(second, first, "its data is older than the request");
    assert_eq!(shared(ask(ledger, &new, &terms).await), second);
    ledger.cancel(&org("a"), second).await.expect("the ledger");
    accepted(ask(ledger, &new, &terms).await);
}

async fn what_was_read_once_is_never_joined_again(ledger: &dyn Ledger) {
    let (new, terms) = (new_export("a", 5), sharing(None));
    let first = accepted(ask(ledger, &new, &terms).await);
    let handed_back = claim(ledger, LEASE).await.lease;
    let back = ledger
        .hand_back(&handed_back, Duration::ZERO, HandBack::Shutdown)
        .await;
    back.expect("held");
    assert_eq!(
        shared(ask(ledger, &new, &terms).await),
        first,
        "nothing was read"
    );
    let lease = claim(ledger, LEASE).await.lease;
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    let second = accepted(ask(ledger, &new, &terms).await);
    let again = Some(Duration::ZERO);
    ledger.fail(&lease, &failure(), again).await.expect("held");
    assert_eq!(shared(ask(ledger, &new, &terms).await), second);
}

async fn a_completed_export_is_reused_while_it_is_fresh(ledger: &dyn Ledger) {
    let new = new_export("a", 5);
    let first = accepted(ask(ledger, &new, &sharing(None)).await);
    let lease = claim(ledger, LEASE).await.lease;
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    let fresh = sharing(Some(RETENTION));
    assert_eq!(shared(ask(ledger, &new, &fresh).await), first);
    accepted(ask(ledger, &other_request(), &fresh).await);
    let (stale, never) = (sharing(Some(Duration::ZERO)), sharing(None));
    let second = accepted(ask(ledger, &new, &stale).await);
    assert_eq!(shared(ask(ledger, &new, &never).await), second);
    assert_eq!(
        shared(ask(ledger, &new, &fresh).await),
        second,
        "what will be read is fresher than what was"
    );
    assert!(ledger.delete(&org("a"), second).await.expect("the ledger"));
    assert!(ledger.delete(&org("a"), first).await.expect("the ledger"));
    accepted(ask(ledger, &new, &fresh).await);
}

async fn nobody_shares_with_another_key_or_organisation(ledger: &dyn Ledger) {
    let made_by = |org: &str, key: Option<&KeyId>| NewExport {
        org: OrgId::new(org),
        made_by: key.cloned(),
        ..new_export(org, 5)
    };
    let (one, two) = (KeyId::generate(), KeyId::generate());
    let mut ids = BTreeSet::new();
    for (org, key) in [
        ("a", None),
        ("a", Some(&one)),
        ("a", Some(&two)),
        ("b", None),
        ("b", Some(&one)),
    ] {
        let new = made_by(org, key);
        let terms = Terms {
            sharing: Some(Sharing::default()),
            ..keyed("the-same")
        };
        assert!(ids.insert(accepted(ask(ledger, &new, &terms).await)));
        let again = ask(ledger, &new, &sharing(None)).await;
        assert!(ids.contains(&shared(again)));
    }
}

async fn of_racing_identical_requests_one_starts_an_export(fixture: &Fixture) {
    let outcomes = race(fixture, 12, |_| (new_export("a", 5), sharing(None))).await;
    one_started(outcomes);
}

/// Asks from both processes at once.
async fn race(
    fixture: &Fixture,
    requests: usize,
    request: impl Fn(usize) -> (NewExport, Terms),
) -> Vec<Enqueued> {
    let both = [&fixture.ledger, &fixture.other];
    let asked: Vec<_> = (0..requests)
        .map(|number| {
            let ledger = Arc::clone(both[number % 2]);
            let (new, terms) = request(number);
            tokio::spawn(async move { ask(ledger.as_ref(), &new, &terms).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for answer in asked {
        outcomes.push(answer.await.expect("no panic"));
    }
    outcomes
}

#[track_caller]
fn one_started(outcomes: Vec<Enqueued>) {
    let (mut started, mut ids) = (0, BTreeSet::new());
    for outcome in outcomes {
        match outcome {
            Enqueued::Accepted(export) => {
                started += 1;
                ids.insert(export.id);
            }
            Enqueued::Shared(export) | Enqueued::Replayed(export) => {
                ids.insert(export.id);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((started, ids.len()), (1, 1));
}

async fn an_idempotency_key_has_one_outcome(ledger: &dyn Ledger) {
    let (new, terms) = (new_export("a", 5), keyed("k"));
    let key = terms.idempotency_key.clone().expect("a key");
    assert!(
        ledger
            .replay(&new, &key)
            .await
            .expect("the ledger")
            .is_none()
    );
    let first = accepted(ask(ledger, &new, &terms).await);
    for _ in 0..2 {
        let early = ledger.replay(&new, &key).await.expect("the ledger");
        assert_eq!(replayed(early), first);
        assert_eq!(replayed(Some(ask(ledger, &new, &terms).await)), first);
    }
    let other = other_request();
    let early = ledger.replay(&other, &key).await.expect("the ledger");
    assert!(matches!(early, Some(Enqueued::KeyReused)));
    let late = ask(ledger, &other, &terms).await;
    assert!(matches!(late, Enqueued::KeyReused));
    assert_ne!(accepted(ask(ledger, &other, &keyed("l")).await), first);

    // What is refused binds no key.
    let full = Terms {
        max_queued: 0,
        ..keyed("m")
    };
    assert!(matches!(
        ask(ledger, &new, &full).await,
        Enqueued::QueueFull
    ));
    accepted(ask(ledger, &other, &keyed("m")).await);

    // A key may stand for an export that another request started.
    let open = accepted(ask(ledger, &new, &sharing(None)).await);
    let both = Terms {
        sharing: Some(Sharing::default()),
        ..keyed("n")
    };
    assert_eq!(shared(ask(ledger, &new, &both).await), open);
    assert_eq!(replayed(Some(ask(ledger, &new, &both).await)), open);
}

async fn an_idempotency_key_ends_with_its_export(ledger: &dyn Ledger) {
    let (new, terms) = (new_export("a", 5), keyed("k"));
    let first = accepted(ask(ledger, &new, &terms).await);
    ledger.purge(Duration::ZERO).await.expect("the ledger");
    assert_eq!(replayed(Some(ask(ledger, &new, &terms).await)), first);
    assert!(ledger.delete(&org("a"), first).await.expect("the ledger"));
    let second = accepted(ask(ledger, &other_request(), &terms).await);
    assert_ne!(second, first);
}

async fn of_racing_requests_with_one_key_one_starts_an_export(fixture: &Fixture) {
    let outcomes = race(fixture, 12, |_| (new_export("a", 5), keyed("k"))).await;
    one_started(outcomes);
}

async fn an_organisation_has_no_more_than_it_may(fixture: &Fixture) {
    const MAY: usize = 3;
    let few = || Terms {
        max_active: MAY as u64,
        ..terms()
    };
    let outcomes = race(fixture, 12, |_| (new_export("a", 5), few())).await;
    let started = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Enqueued::Accepted(_)))
        .count();
    assert_eq!(started, MAY, "{outcomes:?}");
    let refused = |outcome: &Enqueued| matches!(outcome, Enqueued::TooManyActive);
    assert_eq!(outcomes.iter().filter(|o| refused(o)).count(), 12 - MAY);

    let ledger = fixture.ledger.as_ref();
    accepted(ask(ledger, &new_export("b", 5), &few()).await);
    let lease = claim(ledger, LEASE).await.lease;
    let refusal = ask(ledger, &new_export("a", 5), &few()).await;
    assert!(refused(&refusal), "what runs has not ended: {refusal:?}");
    let activity = ledger.activity(&OrgId::new("a")).await.expect("the ledger");
    assert_eq!((activity.active, activity.ended), (MAY as u64, 0));
    ledger.fail(&lease, &failure(), None).await.expect("held");
    accepted(ask(ledger, &new_export("a", 5), &few()).await);
    let activity = ledger.activity(&OrgId::new("a")).await.expect("the ledger");
    assert_eq!((activity.active, activity.ended), (MAY as u64, 1));
    assert!(activity.drain_rate().is_some_and(|rate| rate > 0.0));
}

async fn all_organisations_together_fill_the_queue_to_its_bound(fixture: &Fixture) {
    const BOUND: u64 = 5;
    enqueue(fixture.ledger.as_ref(), "a", 5).await;
    let outcomes = race(fixture, 16, |number| {
        let terms = Terms {
            max_queued: BOUND,
            ..terms()
        };
        (new_export(&format!("org_{number}"), 5), terms)
    })
    .await;
    let started = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Enqueued::Accepted(_)))
        .count();
    assert_eq!(started as u64, BOUND - 1, "{outcomes:?}");
}
