//! Places for clients that are held: by `Prefer: wait`, or by a stream of events.
//!
//! Each of them keeps a connection and some memory, for as long as it likes, so a process has
//! `limits.max_waiting` places and no more. An organisation that has as many as are left free gets no
//! further one: alone it gets half of them, and however many others take all that they can get, there is
//! one more for a newcomer.
//!
//! A request that finds no place is answered at once. A stream is told when to come back: a place becomes
//! free every `mean hold / places held`, and each who is turned away is given the next one (see
//! [`admission`](crate::admission), which counts its slots in the same way).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waybill_report::caller::OrgId;

use crate::admission::{Book, Drain, MeanHold};
use crate::request::prefer::{LONGEST_WAIT, Preferences};
use crate::retry_after;

/// See the module.
#[derive(Debug)]
pub(crate) struct Waiting {
    most: usize,
    held: Mutex<Holds>,
}

#[derive(Debug)]
struct Holds {
    all: usize,
    /// Of those that hold any.
    by_org: HashMap<OrgId, usize>,
    mean: MeanHold,
    book: Book,
}

/// One client's place. Given back when dropped, also when its client is gone.
#[derive(Debug)]
pub(crate) struct Place {
    waiting: Arc<Waiting>,
    org: OrgId,
    since: Instant,
}

/// A request that may be held.
#[derive(Debug)]
pub(crate) struct Held {
    longest: Duration,
    _place: Place,
}

impl Held {
    /// For how long.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

impl Waiting {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            held: Mutex::new(Holds {
                all: 0,
                by_org: HashMap::new(),
                mean: MeanHold::new(Duration::from_secs(LONGEST_WAIT)),
                book: Book::default(),
            }),
        }
    }

    /// Places that are held, and all of them.
    pub(crate) fn places(&self) -> (usize, usize) {
        (self.lock().all, self.most)
    }

    /// A place for a client of this organisation, if it may have one.
    pub(crate) fn place(self: &Arc<Self>, org: &OrgId) -> Option<Place> {
        let mut held = self.lock();
        let free = self.most.saturating_sub(held.all);
        if held.by_org.get(org).copied().unwrap_or_default() >= free {
            return None;
        }
        held.all += 1;
        *held.by_org.entry(org.clone()).or_default() += 1;
        Some(Place {
            waiting: Arc::clone(self),
            org: org.clone(),
            since: Instant::now(),
        })
    }

    /// Holds a request for as long as its client prefers, if there is a place for it. Returns what is
    /// honoured of the preferences, too.
    pub(crate) fn hold(
        self: &Arc<Self>,
        org: &OrgId,
        preferences: Preferences,
    ) -> (Preferences, Option<Held>) {
        let held = preferences.wait().and_then(|longest| {
            let place = self.place(org)?;
            Some(Held {
                longest,
                _place: place,
            })
        });
        match held {
            Some(held) => (preferences, Some(held)),
            None => (preferences.without_wait(), None),
        }
    }

    /// Seconds after which there may be a place for one who found none.
    pub(crate) fn come_back(&self) -> u64 {
        let mut held = self.lock();
        let drain = Drain::of_places(held.all, held.mean.mean());
        let wait = held.book.appoint(Instant::now(), drain);
        retry_after::spread(wait)
    }

    fn lock(&self) -> MutexGuard<'_, Holds> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.waiting.lock();
        held.all -= 1;
        held.mean.add(self.since.elapsed());
        if let Some(own) = held.by_org.get_mut(&self.org) {
            *own -= 1;
            if *own == 0 {
                held.by_org.remove(&self.org);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn places(waiting: &Arc<Waiting>, org: &str) -> Vec<Place> {
        let org = OrgId::new(org);
        std::iter::from_fn(|| waiting.place(&org)).collect()
    }

    #[test]
    fn one_organisation_leaves_as_much_as_it_takes() {
        let waiting = Arc::new(Waiting::new(12));
        let a = places(&waiting, "a");
        assert_eq!(a.len(), 6);
        let b = places(&waiting, "b");
        assert_eq!(b.len(), 3);
        assert_eq!(
            places(&waiting, "c").len(),
            2,
            "there is room for a newcomer"
        );
        drop(a);
        let b_again = places(&waiting, "b");
        assert_eq!(b.len() + b_again.len(), 6);
        drop((b, b_again));
        assert!(waiting.lock().by_org.is_empty());
        assert_eq!(waiting.lock().all, 0);
    }

    #[test]
    fn no_more_than_there_are_places_wait() {
        let waiting = Arc::new(Waiting::new(2));
        let _both = ["a", "b"].map(|org| places(&waiting, org));
        assert_eq!(waiting.lock().all, 2);
        assert!(waiting.place(&OrgId::new("c")).is_none());
        let seconds = waiting.come_back();
        assert!((15..=18).contains(&seconds), "half of a wait: {seconds}");
    }

    #[test]
    fn a_request_without_a_place_is_not_held() {
        let mut headers = HeaderMap::new();
        let prefer = HeaderValue::from_static("respond-async, wait=10");
        headers.insert("prefer", prefer);
        let (preferences, org) = (Preferences::of(&headers), OrgId::new("a"));
        let waiting = Arc::new(Waiting::new(1));

        let (honoured, held) = waiting.hold(&org, preferences);
        assert_eq!(honoured, preferences);
        let held = held.expect("a place");
        assert_eq!(held.longest(), Duration::from_secs(10));
        let (honoured, none) = waiting.hold(&org, preferences);
        assert!(none.is_none());
        assert_eq!(honoured.applied().expect("something"), "respond-async");
        drop(held);
        assert!(waiting.hold(&org, preferences).1.is_some());
        let asked_for_none = Preferences::default();
        assert!(waiting.hold(&org, asked_for_none).1.is_none());
    }
}
