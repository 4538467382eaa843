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
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use waybill_report::caller::OrgId;

use crate::admission::{Drain, ServiceTime, VirtualSchedule};
use crate::request::prefer::{MAX_WAIT_SECONDS, Preferences};
use crate::retry_after;

/// The places of a process.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    in_use: Mutex<PlacesInUse>,
}

#[derive(Debug)]
struct PlacesInUse {
    all: usize,
    /// Of those that hold any.
    by_org: HashMap<OrgId, usize>,
    service_time: ServiceTime,
    schedule: VirtualSchedule,
}

/// One client's place. Given back when dropped, also when its client is gone.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    org: OrgId,
    since: Instant,
}

/// A request that may be held.
#[derive(Debug)]
pub(crate) struct HeldRequest {
    longest: Duration,
    _place: Place,
}

impl HeldRequest {
    /// Returns for how long.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            in_use: Mutex::new(PlacesInUse {
                all: 0,
                by_org: HashMap::new(),
                service_time: ServiceTime::new(Duration::from_secs(MAX_WAIT_SECONDS)),
                schedule: VirtualSchedule::default(),
            }),
        }
    }

    /// Returns how many places are held, and how many there are.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        (self.lock().all, self.most)
    }

    /// Takes a place for a client of this organisation, if it may have one.
    pub(crate) fn place(self: &Arc<Self>, org: &OrgId) -> Option<Place> {
        let mut in_use = self.lock();
        let free = self.most.saturating_sub(in_use.all);
        if in_use.by_org.get(org).copied().unwrap_or_default() >= free {
            return None;
        }
        in_use.all += 1;
        *in_use.by_org.entry(org.clone()).or_default() += 1;
        Some(Place {
            places: Arc::clone(self),
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
    ) -> (Preferences, Option<HeldRequest>) {
        let held = preferences.wait().and_then(|longest| {
            let place = self.place(org)?;
            Some(HeldRequest {
                longest,
                _place: place,
            })
        });
        match held {
            Some(held) => (preferences, Some(held)),
            None => (preferences.without_wait(), None),
        }
    }

    /// Returns the seconds after which there may be a place for one who found none.
    pub(crate) fn retry_after_seconds(&self) -> u64 {
        let mut in_use = self.lock();
        let drain = Drain::of_places(in_use.all, in_use.service_time.mean());
        let wait = in_use.schedule.reserve(Instant::now(), drain);
        retry_after::spread(wait)
    }

    fn lock(&self) -> MutexGuard<'_, PlacesInUse> {
        self.in_use.lock()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut in_use = self.places.lock();
        in_use.all -= 1;
        in_use.service_time.record(self.since.elapsed());
        if let Some(own) = in_use.by_org.get_mut(&self.org) {
            *own -= 1;
            if *own == 0 {
                in_use.by_org.remove(&self.org);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn all_of(places: &Arc<Places>, org: &str) -> Vec<Place> {
        let org = OrgId::new(org);
        std::iter::from_fn(|| places.place(&org)).collect()
    }

    #[test]
    fn one_organisation_leaves_as_much_as_it_takes() {
        let places = Arc::new(Places::new(12));
        let a = all_of(&places, "a");
        assert_eq!(a.len(), 6);
        let b = all_of(&places, "b");
        assert_eq!(b.len(), 3);
        assert_eq!(
            all_of(&places, "c").len(),
            2,
            "there is room for a newcomer"
        );
        drop(a);
        let b_again = all_of(&places, "b");
        assert_eq!(b.len() + b_again.len(), 6);
        drop((b, b_again));
        assert!(places.lock().by_org.is_empty());
        assert_eq!(places.lock().all, 0);
    }

    #[test]
    fn no_more_than_there_are_places_wait() {
        let places = Arc::new(Places::new(2));
        let _both = ["a", "b"].map(|org| all_of(&places, org));
        assert_eq!(places.lock().all, 2);
        assert!(places.place(&OrgId::new("c")).is_none());
        let seconds = places.retry_after_seconds();
        assert!((15..=18).contains(&seconds), "half of a wait: {seconds}");
    }

    #[test]
    fn a_request_without_a_place_is_not_held() {
        let mut headers = HeaderMap::new();
        let prefer = HeaderValue::from_static("respond-async, wait=10");
        headers.insert("prefer", prefer);
        let (preferences, org) = (Preferences::of(&headers), OrgId::new("a"));
        let places = Arc::new(Places::new(1));

        let (honoured, held) = places.hold(&org, preferences);
        assert_eq!(honoured, preferences);
        let held = held.expect("a place");
        assert_eq!(held.longest(), Duration::from_secs(10));
        let (honoured, none) = places.hold(&org, preferences);
        assert!(none.is_none());
        assert_eq!(honoured.applied().expect("something"), "respond-async");
        drop(held);
        assert!(places.hold(&org, preferences).1.is_some());
        let asked_for_none = Preferences::default();
        assert!(places.hold(&org, asked_for_none).1.is_none());
    }
}
