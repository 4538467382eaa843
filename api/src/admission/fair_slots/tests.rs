use std::pin::pin;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::*;

const LONG: Duration = Duration::from_secs(3_600);

fn slots_of(slots: &FairSlots, org: &str) -> Option<Permit> {
    let org = OrgId::new(org);
    slots
        .acquire(&org, Duration::ZERO, 0)
        .now_or_never()
        .flatten()
}

/// Everything that an organisation gets without waiting.
fn all_of(slots: &FairSlots, org: &str) -> Vec<Permit> {
    std::iter::from_fn(|| slots_of(slots, org)).collect()
}

/// Somebody who waits, once that is so; with the name of the organisation.
fn waiting(
    slots: &FairSlots,
    org: &'static str,
    bound: usize,
) -> BoxFuture<'static, Option<(&'static str, Permit)>> {
    let slots = slots.clone();
    let mut waiting = async move {
        let permit = slots.acquire(&OrgId::new(org), LONG, bound).await;
        permit.map(|permit| (org, permit))
    }
    .boxed();
    assert!((&mut waiting).now_or_never().is_none(), "it waits");
    waiting
}

/// As if so much time had passed since anybody asked.
fn pass(slots: &FairSlots, time: Duration) {
    let mut shares = slots.lock();
    for share in shares.by_org.values_mut() {
        share.asked_at = share
            .asked_at
            .checked_sub(time)
            .expect("an earlier instant");
    }
    shares.forgot_at = shares
        .forgot_at
        .checked_sub(time)
        .expect("an earlier instant");
}

#[tokio::test]
async fn alone_an_organisation_has_every_slot() {
    let slots = FairSlots::new(3);
    let all = all_of(&slots, "a");
    assert_eq!((all.len(), slots.in_use()), (3, (3, 3)));
    drop(all);
    assert_eq!(slots.in_use(), (0, 3));
    assert_eq!(all_of(&slots, "a").len(), 3);
}

#[tokio::test]
async fn the_last_slot_is_kept_for_who_asked_lately_and_holds_none() {
    let slots = FairSlots::new(3);
    drop(slots_of(&slots, "b").expect("a slot"));
    let a = all_of(&slots, "a");
    assert_eq!(a.len(), 2);
    let b = all_of(&slots, "b");
    assert_eq!(b.len(), 1);
    drop(b);
    assert!(slots_of(&slots, "a").is_none());
    // A newcomer that holds none is as good.
    drop(slots_of(&slots, "c").expect("a slot"));
    pass(&slots, RESERVED_FOR);
    assert_eq!(all_of(&slots, "a").len(), 1, "nobody asked lately");
    drop(a);
    assert_eq!(slots.lock().by_org.len(), 1, "the silent are forgotten");
}

#[tokio::test]
async fn one_slot_is_served_in_turn() {
    let slots = FairSlots::new(1);
    let mut held = vec![slots_of(&slots, "a").expect("the slot")];
    let a = [0; 4].map(|_| waiting(&slots, "a", 10));
    let b = [0; 2].map(|_| waiting(&slots, "b", 10));
    let mut all: Vec<_> = a.into_iter().chain(b).collect();
    let mut served = Vec::new();
    while !all.is_empty() {
        held.clear();
        let (next, _, rest) = futures::future::select_all(all).await;
        let (org, permit) = next.expect("a slot");
        served.push(org);
        held.push(permit);
        all = rest;
    }
    assert_eq!(served.concat(), "babaaa");
}

#[tokio::test]
async fn who_holds_the_fewest_is_served_first() {
    let slots = FairSlots::new(4);
    let mut held = all_of(&slots, "a");
    let a = [0; 4].map(|_| waiting(&slots, "a", 10));
    let b = [0; 4].map(|_| waiting(&slots, "b", 10));
    held.truncate(1);
    let served = join_all(a.into_iter().chain(b).map(|mut waiting| async move {
        (&mut waiting)
            .now_or_never()
            .flatten()
            .map(|(org, permit)| (org, permit, waiting))
    }));
    let served: Vec<_> = served.await.into_iter().flatten().collect();
    let orgs: Vec<_> = served.iter().map(|(org, ..)| *org).collect();
    // One of them was held before.
    assert_eq!(orgs.concat(), "abb");
}

#[tokio::test]
async fn the_queue_is_shared_as_the_slots_are() {
    let slots = FairSlots::new(1);
    let held = slots_of(&slots, "a").expect("the slot");
    let mut a: Vec<_> = (0..4).map(|_| waiting(&slots, "a", 4)).collect();
    let asks = |org: &'static str| {
        let slots = slots.clone();
        async move { slots.acquire(&OrgId::new(org), LONG, 4).await }.boxed()
    };
    assert!(matches!(asks("a").now_or_never(), Some(None)), "it is full");
    let mut b: Vec<_> = (0..2).map(|_| waiting(&slots, "b", 4)).collect();
    assert!(
        matches!(asks("b").now_or_never(), Some(None)),
        "as much as a has"
    );
    let sent_away = a.iter_mut().map(FutureExt::now_or_never);
    let sent_away: Vec<bool> = sent_away.map(|end| matches!(end, Some(None))).collect();
    assert_eq!(sent_away, [false, false, true, true], "the last comers");
    a.truncate(2);
    assert_eq!(slots.lock().waiting, 4);
    drop((a, b.pop()));
    assert_eq!(slots.lock().waiting, 1, "who is gone waits no more");
    drop(held);
    assert!(b.remove(0).await.is_some());
    assert_eq!(slots.in_use(), (0, 1));
}

#[tokio::test]
async fn a_slot_that_is_granted_to_who_is_gone_serves_the_next() {
    let slots = FairSlots::new(1);
    let held = slots_of(&slots, "a").expect("the slot");
    let gone = waiting(&slots, "a", 10);
    let stays = waiting(&slots, "a", 10);
    drop(held);
    drop(gone);
    assert!(stays.await.is_some());
}

#[tokio::test]
async fn a_wait_ends() {
    let slots = FairSlots::new(1);
    let _held = slots_of(&slots, "a").expect("the slot");
    let org = OrgId::new("a");
    let waits = pin!(slots.acquire(&org, Duration::from_millis(1), 1));
    assert!(waits.await.is_none());
    assert_eq!(slots.lock().waiting, 0);
}
