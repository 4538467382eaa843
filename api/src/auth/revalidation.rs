//! Callers who were let in some time ago, and whether their keys still say so.
//!
//! A request that is held and a stream of events outlive the moment in which their key was looked at. It is
//! looked at again, by its id, before they are told anything; no secret is kept for that. However many
//! of them a key has, the database is asked once in a while for all.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tokio::time::timeout;
use waybill_ledger::keys::KeyStore;
use waybill_report::caller::{Caller, KeyId};

use super::caller_cache::CallerCache;
use crate::problem::Problem;

/// Keys are spread over so many locks: one that waits for the database holds up few others.
const LOCK_STRIPES: usize = 64;
/// How long a look may take, the wait for others' included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at the keys of callers again.
pub(super) struct Revalidation {
    /// By the ids of their keys.
    cache: CallerCache,
    locks: [Mutex<()>; LOCK_STRIPES],
}

impl Default for Revalidation {
    fn default() -> Self {
        Self {
            cache: CallerCache::default(),
            locks: [const { Mutex::const_new(()) }; LOCK_STRIPES],
        }
    }
}

impl Revalidation {
    /// Notes what was just found of a caller's key.
    pub(super) fn know(&self, caller: &Caller, expires_at: Option<DateTime<Utc>>) {
        if let Some(id) = &caller.key {
            self.cache.keep(id.as_str(), caller.clone(), expires_at);
        }
    }

    /// Returns the caller as its key makes it now.
    pub(super) async fn of(&self, caller: &Caller, keys: &dyn KeyStore) -> Result<Caller, Problem> {
        let Some(id) = &caller.key else {
            return Ok(caller.clone());
        };
        if let Some(known) = self.cache.get(id.as_str()) {
            return Ok(known);
        }
        let looked = timeout(LOOKUP_TIMEOUT, self.look(id, keys)).await;
        looked.unwrap_or_else(|_| Err(Problem::keys_are_late()))
    }

    async fn look(&self, id: &KeyId, keys: &dyn KeyStore) -> Result<Caller, Problem> {
        let _turn = self.locks[lock_of(id)].lock().await;
        // Whoever was in front may have looked for the same key.
        if let Some(known) = self.cache.get(id.as_str()) {
            return Ok(known);
        }
        let key = keys.valid(id).await?.ok_or_else(Problem::unauthorized)?;
        let expires_at = key.expires_at;
        let caller = key.caller();
        self.know(&caller, expires_at);
        Ok(caller)
    }
}

fn lock_of(id: &KeyId) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    usize::try_from(hasher.finish() % LOCK_STRIPES as u64).unwrap_or_default()
}
