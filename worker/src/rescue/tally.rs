//! How often rescue had something to do, since this process began.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(super) struct Tally {
    /// Leases of workers that fell silent.
    pub(super) lapsed: Count,
    /// Exports that waited without a wake-up on its way.
    pub(super) redelivered: Count,
    /// Keys that were emptied.
    pub(super) removed: Count,
    /// Files that were kept long enough.
    pub(super) expired: Count,
    /// Records that were kept long enough.
    pub(super) purged: Count,
}

#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load(Ordering::Relaxed).fmt(f)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lapsed,
            redelivered,
            removed,
            expired,
            purged,
        } = self;
        write!(
            f,
            "{lapsed} lapsed, {redelivered} redelivered, {removed} removed, {expired} expired, {purged} purged"
        )
    }
}
