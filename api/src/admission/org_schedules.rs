//! For each organisation that was turned away lately: what it had going, and its appointments.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waybill_ledger::OrgActivity;
use waybill_report::caller::OrgId;

use super::LOOK_SERVES;
use super::virtual_schedule::{Book, Drain};

/// With so many organisations, those that were not turned away for a while are forgotten.
const MANY: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OrgLines {
    lines: Mutex<HashMap<OrgId, Line>>,
}

#[derive(Debug)]
struct Line {
    activity: OrgActivity,
    seen_at: Instant,
    book: Book,
}

impl OrgLines {
    /// What the organisation had going a moment ago.
    pub(super) fn seen(&self, org: &OrgId) -> Option<OrgActivity> {
        let lines = self.lock();
        let line = lines.get(org)?;
        (line.seen_at.elapsed() < LOOK_SERVES).then_some(line.activity)
    }

    /// Remembers what it has going now.
    pub(super) fn keep(&self, org: &OrgId, activity: OrgActivity) -> OrgActivity {
        let now = Instant::now();
        let mut lines = self.lock();
        if lines.len() >= MANY {
            lines.retain(|_, line| line.is_in_use(now));
        }
        let line = lines.entry(org.clone()).or_insert_with(|| Line {
            activity,
            seen_at: now,
            book: Book::default(),
        });
        line.activity = activity;
        line.seen_at = now;
        activity
    }

    /// Gives the organisation's next place away; returns how long it is until then.
    pub(super) fn appoint(&self, org: &OrgId, now: Instant, drain: Drain) -> Duration {
        match self.lock().get_mut(org) {
            Some(line) => line.book.appoint(now, drain),
            None => drain.first_free,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_in_use(&self, now: Instant) -> bool {
        now.duration_since(self.seen_at) < LOOK_SERVES || self.book.has_appointments(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_has_its_own_line_and_old_ones_are_forgotten() {
        let lines = OrgLines::default();
        let (now, drain) = (Instant::now(), Drain::of_queue(1, 0.5));
        let (a, b) = (OrgId::new("a"), OrgId::new("b"));
        let activity = OrgActivity {
            active: 20,
            ..OrgActivity::default()
        };
        assert_eq!(lines.seen(&a), None);
        for org in [&a, &b] {
            lines.keep(org, activity);
            assert_eq!(lines.seen(org), Some(activity));
            let waits = [(); 2].map(|()| lines.appoint(org, now, drain).as_secs());
            assert_eq!(waits, [2, 4]);
        }
        let long_ago = now.checked_sub(LOOK_SERVES).expect("an earlier instant");
        for number in 0..MANY {
            lines.keep(&OrgId::new(number.to_string()), activity);
        }
        for line in lines.lock().values_mut() {
            line.seen_at = long_ago;
        }
        lines.keep(&OrgId::new("one more"), activity);
        let left = lines.lock().len();
        assert_eq!(left, 3, "those with appointments, and the new one");
    }
}
