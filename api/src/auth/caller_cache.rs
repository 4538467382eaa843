//! Callers whose keys were good a moment ago, so that not every request asks the database.
//!
//! A key that is revoked works on for as long as this remembers it, which is why that is short.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use waybill_report::caller::Caller;

/// How long a key is believed. Revoking one is promised to work within 5 s.
const TIME_TO_LIVE: Duration = Duration::from_secs(3);
/// The most keys that are remembered; some 300 bytes each.
const MAX_ENTRIES: usize = 10_000;

/// SHA-256 of what was presented: a copy of the memory holds no key.
type Digested = [u8; 32];

#[derive(Default)]
pub(super) struct CallerCache {
    callers: Mutex<HashMap<Digested, Remembered>>,
}

struct Remembered {
    caller: Caller,
    until: Instant,
}

impl CallerCache {
    /// Returns who presented this a moment ago.
    pub(super) fn get(&self, presented: &str) -> Option<Caller> {
        let callers = self.callers.lock();
        let remembered = callers.get(&digest(presented))?;
        (Instant::now() < remembered.until).then(|| remembered.caller.clone())
    }

    /// Remembers a caller, but not beyond the end of its key.
    pub(super) fn keep(&self, presented: &str, caller: Caller, expires_at: Option<DateTime<Utc>>) {
        self.keep_for(TIME_TO_LIVE, presented, caller, expires_at);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what is remembered ends with its key, whose end was compared by the database before"
    )]
    fn keep_for(
        &self,
        remembered: Duration,
        presented: &str,
        caller: Caller,
        expires_at: Option<DateTime<Utc>>,
    ) {
        let left = expires_at.map(|end| (end - Utc::now()).to_std().unwrap_or_default());
        let now = Instant::now();
        let until = now + left.map_or(remembered, |left| left.min(remembered));
        let mut callers = self.callers.lock();
        if callers.len() >= MAX_ENTRIES {
            callers.retain(|_, remembered| now < remembered.until);
        }
        // With as many keys in use at once, one more look at the database is no matter.
        if callers.len() < MAX_ENTRIES {
            callers.insert(digest(presented), Remembered { caller, until });
        }
    }
}

fn digest(presented: &str) -> Digested {
    Sha256::digest(presented).into()
}

#[cfg(test)]
mod tests {
    use waybill_report::caller::{OrgId, Role};

    use super::*;

    fn caller(org: &str) -> Caller {
        Caller {
            org: OrgId::new(org),
            role: Role::Viewer,
            key: None,
            datasets: None,
        }
    }

    fn org(recent: &CallerCache, presented: &str) -> Option<String> {
        recent.get(presented).map(|caller| caller.org.to_string())
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    fn a_key_is_remembered_for_itself_alone_and_until_its_end() {
        let recent = CallerCache::default();
        recent.keep_for(LONG, "one", caller("a"), None);
        recent.keep_for(Duration::ZERO, "over", caller("a"), None);
        recent.keep_for(LONG, "expired", caller("a"), Some(Utc::now()));
        assert_eq!(org(&recent, "one").as_deref(), Some("a"));
        for other in ["over", "expired", "two", "one ", ""] {
            assert_eq!(org(&recent, other), None, "{other}");
        }
    }

    #[test]
    fn no_more_than_the_most_are_remembered() {
        let recent = CallerCache::default();
        for number in 0..MAX_ENTRIES {
            let remembered = if number % 2 == 0 {
                LONG
            } else {
                Duration::ZERO
            };
            recent.keep_for(remembered, &number.to_string(), caller("a"), None);
        }
        recent.keep_for(LONG, "room", caller("b"), None);
        assert_eq!(org(&recent, "room").as_deref(), Some("b"));
        for number in 0..MAX_ENTRIES {
            recent.keep_for(LONG, &format!("more {number}"), caller("a"), None);
        }
        let callers = recent.callers.lock();
        assert_eq!(callers.len(), MAX_ENTRIES);
    }
}
