//! What was presented a moment ago and is no key in force, so that who repeats it does not ask the database
//! each time.
//!
//! A key that is made after its secret was tried works once this has forgotten the trial, which is why
//! that is soon.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// For how long a miss is believed: the longest that a new key may be refused for.
const TIME_TO_LIVE: Duration = Duration::from_secs(2);
/// The most misses that are remembered; less than 100 bytes each.
const MAX_ENTRIES: usize = 10_000;

/// SHA-256 of what was presented: a copy of the memory holds no secret that is one elsewhere.
type Digested = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct NegativeCache {
    until: Mutex<HashMap<Digested, Instant>>,
}

impl NegativeCache {
    /// Returns whether this was no key a moment ago.
    pub(super) fn have(&self, presented: &str) -> bool {
        let until = self.until.lock();
        let until = until.get(&digest(presented));
        until.is_some_and(|until| Instant::now() < *until)
    }

    /// Remembers that this is no key.
    pub(super) fn keep(&self, presented: &str) {
        self.keep_for(TIME_TO_LIVE, presented);
    }

    fn keep_for(&self, remembered: Duration, presented: &str) {
        let now = Instant::now();
        let mut misses = self.until.lock();
        if misses.len() >= MAX_ENTRIES {
            misses.retain(|_, until| now < *until);
        }
        // Among as many, each that is not remembered costs one more look and no memory.
        if misses.len() < MAX_ENTRIES {
            misses.insert(digest(presented), now + remembered);
        }
    }
}

fn digest(presented: &str) -> Digested {
    Sha256::digest(presented).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_remembered_for_itself_and_for_a_moment() {
        let misses = NegativeCache::default();
        misses.keep("one");
        misses.keep_for(Duration::ZERO, "over");
        assert!(misses.have("one"));
        for other in ["over", "One", ""] {
            assert!(!misses.have(other), "{other}");
        }
        const { assert!(TIME_TO_LIVE.as_secs() <= 5, "a new key works soon") }
    }

    #[test]
    fn no_more_than_the_most_are_remembered() {
        let misses = NegativeCache::default();
        for number in 0..MAX_ENTRIES {
            misses.keep_for(Duration::ZERO, &number.to_string());
        }
        for number in 0..MAX_ENTRIES + 10 {
            misses.keep_for(Duration::from_secs(3_600), &format!("later {number}"));
        }
        assert_eq!(misses.until.lock().len(), MAX_ENTRIES);
        assert!(misses.have("later 0"));
    }
}
