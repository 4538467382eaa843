//! When a lapsed lease means a dead worker, and when it may be that of one that could not renew it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// How far two clocks may drift apart between two looks at them.
const DRIFT: Duration = Duration::from_secs(1);
/// At the start of a process nobody knows what was before. Living workers renew every second.
const AT_START: Duration = Duration::from_secs(5);

/// After an outage of the ledger, or when its clock was set, every holder of a lease gets the time
/// of one lease to renew it.
pub(super) struct LeaseGracePeriod {
    lease_for: Duration,
    /// This process's clock and the ledger's, when both were seen last; `None` during an outage.
    seen: Option<(Instant, DateTime<Utc>)>,
    until: Instant,
}

impl LeaseGracePeriod {
    /// From the start of this process.
    pub(super) fn new(lease_for: Duration, now: Instant, ledger_now: DateTime<Utc>) -> Self {
        Self {
            lease_for,
            seen: Some((now, ledger_now)),
            until: now + lease_for.min(AT_START),
        }
    }

    /// The ledger did not answer.
    pub(super) fn outage(&mut self) {
        self.seen = None;
    }

    /// The ledger answered, and its clock says so; whether lapsed leases may be taken now.
    pub(super) fn is_over(&mut self, now: Instant, ledger_now: DateTime<Utc>) -> bool {
        let steady = self.seen.is_some_and(|(then, ledger_then)| {
            // A clock that was set back ran for less than nothing.
            let ledger_ran = (ledger_now - ledger_then).to_std();
            ledger_ran.is_ok_and(|ran| ran.abs_diff(now - then) <= DRIFT)
        });
        self.seen = Some((now, ledger_now));
        if !steady {
            self.until = now + self.lease_for;
        }
        now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);
    const ROUND: Duration = Duration::from_secs(1);

    /// A process that has run for a while: its grace, its clock and the ledger's.
    fn settled() -> (LeaseGracePeriod, Instant, DateTime<Utc>) {
        let (start, ledger_start) = (Instant::now(), DateTime::UNIX_EPOCH);
        let mut grace = LeaseGracePeriod::new(LEASE, start, ledger_start);
        assert!(!grace.is_over(start, ledger_start), "it has just begun");
        let (now, ledger_now) = (start + AT_START, ledger_start + AT_START);
        assert!(grace.is_over(now, ledger_now));
        (grace, now, ledger_now)
    }

    /// Goes round until the grace is over, and returns for how long that was.
    fn until_over(
        grace: &mut LeaseGracePeriod,
        now: Instant,
        ledger_now: DateTime<Utc>,
    ) -> Duration {
        let mut passed = Duration::ZERO;
        while !grace.is_over(now + passed, ledger_now + passed) {
            passed += ROUND;
        }
        passed
    }

    #[test]
    fn after_an_outage_everyone_has_one_lease_to_renew() {
        let (mut grace, now, ledger_now) = settled();
        grace.outage();
        let waited = until_over(&mut grace, now + ROUND, ledger_now + ROUND);
        assert_eq!(waited, LEASE);
    }

    #[test]
    fn a_clock_that_was_set_is_no_reason_to_take_a_lease() {
        let hour = Duration::from_secs(3_600);
        for set in [DateTime::UNIX_EPOCH - hour, DateTime::UNIX_EPOCH + hour] {
            let (mut grace, now, _) = settled();
            assert_eq!(until_over(&mut grace, now + ROUND, set), LEASE);
        }
    }

    #[test]
    fn a_slow_round_alone_costs_nothing() {
        let (mut grace, now, ledger_now) = settled();
        assert!(grace.is_over(now + LEASE * 2, ledger_now + LEASE * 2));
    }
}
