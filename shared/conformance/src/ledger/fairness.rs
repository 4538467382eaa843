//! Which export runs next.

use waybill_ledger::export::{Export, ExportId};
use waybill_ledger::{Lane, Lanes, Ledger, NewExport};

use super::exports::{LEASE, claim, enqueue, new_export, record};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    a_flood_does_not_hold_up_a_newcomer(fresh().await.ledger.as_ref()).await;
    organisations_take_turns(fresh().await.ledger.as_ref()).await;
    who_comes_again_and_again_holds_up_nobody(fresh().await.ledger.as_ref()).await;
    large_exports_run_where_they_may(fresh().await.ledger.as_ref()).await;
    lanes_are_counted_apart(fresh().await.ledger.as_ref()).await;
    datasets_that_cannot_be_read_are_passed_over(fresh().await.ledger.as_ref()).await;
}

fn of_lane(org: &str, lane: Lane) -> NewExport {
    NewExport {
        lane,
        ..new_export(org, 5)
    }
}

async fn claimed_org(ledger: &dyn Ledger) -> String {
    claim(ledger, LEASE).await.export.org.to_string()
}

async fn a_flood_does_not_hold_up_a_newcomer(ledger: &dyn Ledger) {
    for _ in 0..50 {
        enqueue(ledger, "flood", 5).await;
    }
    for _ in 0..4 {
        assert_eq!(claimed_org(ledger).await, "flood");
    }
    enqueue(ledger, "newcomer", 5).await;
    assert_eq!(claimed_org(ledger).await, "newcomer");
    enqueue(ledger, "newcomer", 5).await;
    enqueue(ledger, "another", 5).await;
    let mut next = [claimed_org(ledger).await, claimed_org(ledger).await];
    next.sort_unstable();
    assert_eq!(next, ["another", "flood"], "the newcomer was there already");
}

async fn organisations_take_turns(ledger: &dyn Ledger) {
    for org in ["a", "a", "a", "a", "b", "b", "c"] {
        enqueue(ledger, org, 5).await;
    }
    let mut order = Vec::new();
    for _ in 0..7 {
        order.push(claimed_org(ledger).await);
    }
    assert_eq!(order, ["a", "b", "c", "a", "b", "a", "a"]);
}

/// A newcomer goes first once; it cannot stay in front by always having one export only.
async fn who_comes_again_and_again_holds_up_nobody(ledger: &dyn Ledger) {
    for _ in 0..5 {
        enqueue(ledger, "patient", 5).await;
    }
    claim(ledger, LEASE).await;
    let mut served = 0;
    for visit in 0..30 {
        enqueue(ledger, &format!("visitor {visit}"), 5).await;
        if claimed_org(ledger).await == "patient" {
            served += 1;
        }
    }
    assert_eq!(served, 4, "all that it had queued");
}

async fn large_exports_run_where_they_may(ledger: &dyn Ledger) {
    let next = async |lanes| {
        let claim = ledger.claim_next(LEASE, lanes).await.expect("the ledger");
        claim.map(|claim| claim.export.id)
    };
    let large = record(ledger, of_lane("a", Lane::Large)).await.id;
    assert_eq!(
        next(Lanes::Small).await,
        None,
        "the slot is kept for small ones"
    );
    let small: Vec<ExportId> = [
        record(ledger, of_lane("a", Lane::Small)).await,
        record(ledger, of_lane("b", Lane::Small)).await,
    ]
    .map(|export: Export| export.id)
    .into();
    assert_eq!(next(Lanes::Small).await, Some(small[0]));
    assert_eq!(
        next(Lanes::Any).await,
        Some(large),
        "there are fewer slots for it"
    );
    assert_eq!(next(Lanes::Any).await, Some(small[1]));
    assert_eq!(next(Lanes::Any).await, None);
}

async fn lanes_are_counted_apart(ledger: &dyn Ledger) {
    for lane in [Lane::Small, Lane::Small, Lane::Large] {
        record(ledger, of_lane("a", lane)).await;
    }
    ledger
        .claim_next(LEASE, Lanes::Small)
        .await
        .expect("the ledger");
    let backlog = ledger.backlog().await.expect("the ledger");
    let counts = |lane| {
        let lane = backlog.lane(lane);
        (lane.queued, lane.running, lane.claimed)
    };
    assert_eq!(counts(Lane::Small), (1, 1, 1));
    assert_eq!(counts(Lane::Large), (1, 0, 0));
    assert_eq!(backlog.queued(), 2);
    assert!(backlog.small.oldest.is_some() && backlog.large.oldest.is_some());
}

async fn datasets_that_cannot_be_read_are_passed_over(ledger: &dyn Ledger) {
    let of_dataset = |dataset: &str, lane| {
        let mut new = of_lane("a", lane);
        dataset.clone_into(&mut new.spec.query.dataset);
        new
    };
    let mut ids = Vec::new();
    for lane in [Lane::Large, Lane::Small] {
        for dataset in ["away", "gone", "here"] {
            ids.push(record(ledger, of_dataset(dataset, lane)).await.id);
        }
    }
    let next = async |without: &[&str]| {
        let without: Vec<String> = without.iter().map(|name| (*name).to_owned()).collect();
        let claim = ledger.claim_next_but(&without, LEASE, Lanes::Any).await;
        claim.expect("the ledger").map(|claim| claim.export.id)
    };
    assert_eq!(next(&["away", "gone"]).await, Some(ids[2]));
    assert_eq!(next(&["away", "gone"]).await, Some(ids[5]));
    assert_eq!(next(&["away", "gone"]).await, None);
    assert_eq!(next(&["gone"]).await, Some(ids[0]), "its turn was kept");
    assert_eq!(next(&[]).await, Some(ids[1]));
    assert_eq!(next(&["here"]).await, Some(ids[3]));
    assert_eq!(next(&["away"]).await, Some(ids[4]));
}
