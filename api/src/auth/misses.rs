//! What was presented a moment ago and is no key in force, so that who repeats it does not ask the database
//! each time.
//!
//! A key that is made after its secret was tried works once this has forgotten the trial, which is why
//! that is soon.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// For how long a miss is believed: the longest that a new key may be refused for.
const REMEMBERED: Duration = Duration::from_secs(2);
/// The most misses that are remembered; less than 100 bytes each.
const MOST: usize = 10_000;

/// SHA-256 of what was presented: a copy of the memory holds no secret that is one elsewhere.
type Digested = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Misses {
    until: Mutex<HashMap<Digested, Instant>>,
}

impl Misses {
    /// Whether this was no key a moment ago.
    pub(super) fn have(&self, presented: &str) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let until = until.get(&digest(presented));
        until.is_some_and(|until| Instant::now() < *until)
    }

    /// Remembers that this is no key.
    pub(super) fn keep(&self, presented: &str) {
        self.keep_for(REMEMBERED, presented);
    }

    fn keep_for(&self, remembered: Duration, presented: &str) {
        let now = Instant::now();
        let mut misses = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.len() >= MOST {
            misses.retain(|_, until| now < *until);
        }
        // Among as many, each that is not remembered costs one more look and no memory.
        if misses.len() < MOST {
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
        let misses = Misses::default();
        misses.keep("one");
        misses.keep_for(Duration::ZERO, "over");
        assert!(misses.have("one"));
        for other in ["over", "One", ""] {
            assert!(!misses.have(other), "{other}");
        }
        const { assert!(REMEMBERED.as_secs() <= 5, "a new key works within seconds") }
    }

    #[test]
    fn no_more_than_the_most_are_remembered() {
        let misses = Misses::default();
        for number in 0..MOST {
            misses.keep_for(Duration::ZERO, &number.to_string());
        }
        for number in 0..MOST + 10 {
            misses.keep_for(Duration::from_secs(3_600), &format!("later {number}"));
        }
        assert_eq!(misses.until.lock().expect("no panic").len(), MOST);
        assert!(misses.have("later 0"));
    }
}
