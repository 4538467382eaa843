//! Slots that organisations share fairly, and the queue of those who wait for one.
//!
//! An organisation may have every slot while nobody else asks. Once others ask, a slot that becomes free
//! goes to the organisation that holds the fewest, and among equals to the one that was served the longest
//! time ago. The last free slot is kept for organisations that hold none while one of them asked within
//! the last [`RESERVED_FOR`]: it finds its place without waiting for another's report to end. The queue is
//! shared alike: who finds it full takes the place of the last comer of the organisation that has the most.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::timeout;
use waybill_report::caller::OrgId;

/// For how long after its last request an organisation that holds no slot is expected to ask again.
const RESERVED_FOR: Duration = Duration::from_secs(10);

/// So many slots; a clone is the same.
#[derive(Clone, Debug)]
pub(super) struct FairSlots {
    count: usize,
    shares: Arc<Mutex<Shares>>,
}

#[derive(Debug)]
struct Shares {
    free: usize,
    /// Of organisations that hold a slot, wait for one or asked lately.
    by_org: HashMap<OrgId, Share>,
    waiting: usize,
    /// Counts who waited and who was served, which orders both.
    turn: u64,
    forgot_at: Instant,
}

#[derive(Debug)]
struct Share {
    held: usize,
    queue: VecDeque<Waiter>,
    asked_at: Instant,
    served_at_turn: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    grant: oneshot::Sender<Permit>,
}

/// A slot, for as long as this is there.
#[derive(Debug)]
pub(crate) struct Permit {
    slots: FairSlots,
    org: OrgId,
}

/// A place in the queue, for as long as this is there.
struct QueuedRequest<'s> {
    slots: &'s FairSlots,
    org: &'s OrgId,
    ticket: u64,
    grant: oneshot::Receiver<Permit>,
}

impl FairSlots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            shares: Arc::new(Mutex::new(Shares {
                free: count,
                by_org: HashMap::new(),
                waiting: 0,
                turn: 0,
                forgot_at: Instant::now(),
            })),
        }
    }

    /// Returns how many slots are in use, and how many there are.
    pub(super) fn in_use(&self) -> (usize, usize) {
        (self.count - self.lock().free, self.count)
    }

    /// Returns a slot once there is one for this organisation, `None` when there is none within `wait` or
    /// when more than `queue_bound` would wait and others have a better right to.
    pub(super) async fn acquire(
        &self,
        org: &OrgId,
        wait: Duration,
        queue_bound: usize,
    ) -> Option<Permit> {
        let mut queued = match self.ask(org, queue_bound) {
            Asked::Granted(permit) => return Some(permit),
            Asked::Refused => return None,
            Asked::Queued(queued) => queued,
        };
        // An error is a place that was given to somebody else.
        timeout(wait, &mut queued.grant).await.ok()?.ok()
    }

    fn ask<'s>(&'s self, org: &'s OrgId, queue_bound: usize) -> Asked<'s> {
        let now = Instant::now();
        let mut shares = self.lock();
        shares.forget_the_silent(now);
        shares.share(org, now).asked_at = now;
        // Before those who wait only with a slot that is kept for one like it.
        if shares.free > 0 && !shares.is_kept_from(org, self.count, now) {
            return Asked::Granted(self.grant(&mut shares, org));
        }
        if shares.waiting >= queue_bound && !shares.make_room_for(org) {
            return Asked::Refused;
        }
        shares.turn += 1;
        let ticket = shares.turn;
        let (grant, granted) = oneshot::channel();
        shares.waiting += 1;
        let waiter = Waiter { ticket, grant };
        shares.share(org, now).queue.push_back(waiter);
        Asked::Queued(QueuedRequest {
            slots: self,
            org,
            ticket,
            grant: granted,
        })
    }

    /// Takes a free slot.
    fn grant(&self, shares: &mut Shares, org: &OrgId) -> Permit {
        shares.free -= 1;
        shares.turn += 1;
        let turn = shares.turn;
        let share = shares.share(org, Instant::now());
        share.held += 1;
        share.served_at_turn = turn;
        Permit {
            slots: self.clone(),
            org: org.clone(),
        }
    }

    /// Gives free slots to those who wait.
    fn serve(&self) {
        loop {
            let mut shares = self.lock();
            let Some((org, waiter)) = shares.next(self.count) else {
                return;
            };
            let permit = self.grant(&mut shares, &org);
            drop(shares);
            // One that is gone gives it back at once, for which the lock must be free.
            drop(waiter.grant.send(permit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock()
    }
}

enum Asked<'s> {
    Granted(Permit),
    Queued(QueuedRequest<'s>),
    Refused,
}

impl Shares {
    fn share(&mut self, org: &OrgId, now: Instant) -> &mut Share {
        self.by_org.entry(org.clone()).or_insert_with(|| Share {
            held: 0,
            queue: VecDeque::new(),
            asked_at: now,
            served_at_turn: 0,
        })
    }

    /// Returns whether what is free is left to others.
    fn is_kept_from(&self, org: &OrgId, count: usize, now: Instant) -> bool {
        let held = self.by_org.get(org).map_or(0, |share| share.held);
        if self.free > 1 || count < 2 || held == 0 {
            return false;
        }
        let mut others = self.by_org.iter().filter(|(other, _)| *other != org);
        others.any(|(_, share)| share.held == 0 && now - share.asked_at < RESERVED_FOR)
    }

    /// Takes the next one to be served out of the queue.
    fn next(&mut self, count: usize) -> Option<(OrgId, Waiter)> {
        if self.free == 0 {
            return None;
        }
        let waiting = self
            .by_org
            .iter()
            .filter(|(_, share)| !share.queue.is_empty());
        let (org, _) = waiting.min_by_key(|(_, share)| (share.held, share.served_at_turn))?;
        let org = org.clone();
        if self.is_kept_from(&org, count, Instant::now()) {
            return None;
        }
        let waiter = self.by_org.get_mut(&org)?.queue.pop_front()?;
        self.waiting -= 1;
        Some((org, waiter))
    }

    /// Sends the last comer away of the organisation that has the most, unless that is no more than this
    /// one would have.
    fn make_room_for(&mut self, org: &OrgId) -> bool {
        let weight = |share: &Share| share.held + share.queue.len();
        let own = self.by_org.get(org).map_or(0, weight);
        let waiting = self
            .by_org
            .values_mut()
            .filter(|share| !share.queue.is_empty());
        let most = waiting.max_by_key(|share| weight(share));
        let Some(most) = most.filter(|most| weight(most) > own + 1) else {
            return false;
        };
        most.queue.pop_back();
        self.waiting -= 1;
        true
    }

    fn forget_the_silent(&mut self, now: Instant) {
        if now - self.forgot_at < RESERVED_FOR {
            return;
        }
        self.forgot_at = now;
        self.by_org.retain(|_, share| {
            share.held > 0 || !share.queue.is_empty() || now - share.asked_at < RESERVED_FOR
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shares = self.slots.lock();
        shares.free += 1;
        if let Some(share) = shares.by_org.get_mut(&self.org) {
            share.held -= 1;
        }
        drop(shares);
        self.slots.serve();
    }
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        let mut shares = self.slots.lock();
        let shares = &mut *shares;
        // What was granted in this moment is given back with the receiver.
        if let Some(share) = shares.by_org.get_mut(self.org) {
            let before = share.queue.len();
            share.queue.retain(|waiter| waiter.ticket != self.ticket);
            shares.waiting -= before - share.queue.len();
        }
    }
}

#[cfg(test)]
mod tests;
