//! How often rescue had something to do, since this process began.

use std::fmt;

use prometheus_client::metrics::counter::Counter;
use waybill_ledger::metrics::ProcessMetrics;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Leases of workers that fell silent.
    pub(super) lapsed: Counter,
    /// Exports that waited without a wake-up on its way.
    pub(super) redelivered: Counter,
    /// Keys that were emptied.
    pub(super) removed: Counter,
    /// Files that were kept long enough.
    pub(super) expired: Counter,
    /// Records that were kept long enough.
    pub(super) purged: Counter,
    /// Exports that outages kept from running for too long.
    pub(super) given_up: Counter,
}

impl Tally {
    /// That of this process, once for it.
    pub(crate) fn registered(metrics: &ProcessMetrics) -> Self {
        let tally = Self::default();
        let Self {
            lapsed,
            redelivered,
            removed,
            expired,
            purged,
            given_up,
        } = &tally;
        metrics.register(|registry| {
            for (name, help, counter) in [
                (
                    "rescue_lapsed_leases",
                    "Leases that this process ended because their worker had fallen silent",
                    lapsed,
                ),
                (
                    "rescue_redelivered_exports",
                    "Exports that waited without a wake-up on its way and got another one from this process",
                    redelivered,
                ),
                (
                    "rescue_removed_leftovers",
                    "Objects and unfinished uploads that nobody wants any more and that this process removed from the store",
                    removed,
                ),
                (
                    "rescue_expired_files",
                    "Exports whose retention this process found to be over, so that their files go",
                    expired,
                ),
                (
                    "rescue_purged_records",
                    "Records of exports that this process removed because they were kept long enough",
                    purged,
                ),
                (
                    "rescue_given_up_exports",
                    "Exports that this process gave up because what they need was away for too long",
                    given_up,
                ),
            ] {
                registry.register(name, help, counter.clone());
            }
        });
        tally
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
            given_up,
        } = self;
        write!(
            f,
            "{} lapsed, {} redelivered, {} removed, {} expired, {} purged, {} given up",
            lapsed.get(),
            redelivered.get(),
            removed.get(),
            expired.get(),
            purged.get(),
            given_up.get()
        )
    }
}
