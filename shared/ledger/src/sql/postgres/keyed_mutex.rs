//! A mutex for each key, made when it is locked.
//!
//! Exports of one organisation are accepted one after the other by a lock of the database. If all that
//! wait for it had a connection, one organisation's flood would leave none to the others: so the
//! requests of one process wait here first, without a connection.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// With so many keys, those that nobody has locked are forgotten.
const MAX_KEYS: usize = 1_000;

type Entry = tokio::sync::Mutex<()>;

/// See the module.
#[derive(Debug)]
pub(super) struct KeyedMutex<K> {
    entries: Mutex<HashMap<K, Weak<Entry>>>,
}

impl<K> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> KeyedMutex<K> {
    /// Locks a key, once nobody has it locked. Who comes first is first.
    pub(super) async fn lock(&self, key: &K) -> OwnedMutexGuard<()> {
        self.entry(key).lock_owned().await
    }

    fn entry(&self, key: &K) -> Arc<Entry> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get(key).and_then(Weak::upgrade) {
            return entry;
        }
        if entries.len() >= MAX_KEYS {
            entries.retain(|_, entry| entry.strong_count() > 0);
        }
        let entry = Arc::default();
        entries.insert(key.clone(), Arc::downgrade(&entry));
        entry
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_key_waits_for_itself_alone() {
        let mutex = KeyedMutex::default();
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let first = mutex.lock(&a).await;
        let mut second = Box::pin(mutex.lock(&a));
        assert!(second.as_mut().now_or_never().is_none());
        drop(mutex.lock(&b).await);
        drop(first);
        drop(second.await);
        for number in 0..2 * MAX_KEYS {
            drop(mutex.lock(&number.to_string()).await);
        }
        let left = mutex.entries.lock().len();
        assert!(left <= MAX_KEYS, "{left} mutexes of nobody");
    }
}
