//! For each organisation that was turned away lately: what it had going, and the places that were reserved for it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use waybill_ledger::OrgActivity;
use waybill_report::caller::OrgId;

use super::virtual_schedule::{Drain, VirtualSchedule};

/// How long a look at the ledger serves: a crowd that is turned away must not ask the database each time.
pub(super) const FRESH_FOR: Duration = Duration::from_secs(1);
/// With so many organisations, those that were not turned away for a while are forgotten.
const MAX_IDLE: usize = 1_000;

/// One schedule an organisation.
#[derive(Debug, Default)]
pub(super) struct OrgSchedules {
    schedules: Mutex<HashMap<OrgId, OrgSchedule>>,
}

#[derive(Debug)]
struct OrgSchedule {
    activity: OrgActivity,
    seen_at: Instant,
    virtual_schedule: VirtualSchedule,
}

impl OrgSchedules {
    /// Returns what the organisation had going a moment ago.
    pub(super) fn seen(&self, org: &OrgId) -> Option<OrgActivity> {
        let schedules = self.lock();
        let schedule = schedules.get(org)?;
        (schedule.seen_at.elapsed() < FRESH_FOR).then_some(schedule.activity)
    }

    /// Remembers what it has going now.
    pub(super) fn keep(&self, org: &OrgId, activity: OrgActivity) -> OrgActivity {
        let now = Instant::now();
        let mut schedules = self.lock();
        if schedules.len() >= MAX_IDLE {
            schedules.retain(|_, schedule| schedule.is_in_use(now));
        }
        let schedule = schedules.entry(org.clone()).or_insert_with(|| OrgSchedule {
            activity,
            seen_at: now,
            virtual_schedule: VirtualSchedule::default(),
        });
        schedule.activity = activity;
        schedule.seen_at = now;
        activity
    }

    /// Gives the organisation's next place away; returns how long it is until then.
    pub(super) fn reserve(&self, org: &OrgId, now: Instant, drain: Drain) -> Duration {
        match self.lock().get_mut(org) {
            Some(schedule) => schedule.virtual_schedule.reserve(now, drain),
            None => drain.first_free,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, OrgSchedule>> {
        self.schedules.lock()
    }
}

impl OrgSchedule {
    fn is_in_use(&self, now: Instant) -> bool {
        now.duration_since(self.seen_at) < FRESH_FOR || self.virtual_schedule.has_reservations(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_has_its_own_schedule_and_old_ones_are_forgotten() {
        let schedules = OrgSchedules::default();
        let (now, drain) = (Instant::now(), Drain::of_queue(1, 0.5));
        let (a, b) = (OrgId::new("a"), OrgId::new("b"));
        let activity = OrgActivity {
            active: 20,
            ..OrgActivity::default()
        };
        assert_eq!(schedules.seen(&a), None);
        for org in [&a, &b] {
            schedules.keep(org, activity);
            assert_eq!(schedules.seen(org), Some(activity));
            let waits = [(); 2].map(|()| schedules.reserve(org, now, drain).as_secs());
            assert_eq!(waits, [2, 4]);
        }
        let long_ago = now.checked_sub(FRESH_FOR).expect("an earlier instant");
        for number in 0..MAX_IDLE {
            schedules.keep(&OrgId::new(number.to_string()), activity);
        }
        for schedule in schedules.lock().values_mut() {
            schedule.seen_at = long_ago;
        }
        schedules.keep(&OrgId::new("one more"), activity);
        let left = schedules.lock().len();
        assert_eq!(left, 3, "those with reservations, and the new one");
    }
}
