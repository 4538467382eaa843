//! What waits, in which lane, and how fast it drains.

use std::time::Duration;

use crate::export::Lane;

/// The span over which a drain is measured.
pub(crate) const DRAIN_SPAN: Duration = Duration::from_secs(60);

/// What waits and runs, and how fast it drained lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Backlog {
    /// The small lane.
    pub small: LaneBacklog,
    /// The large lane.
    pub large: LaneBacklog,
}

impl Backlog {
    /// Returns one lane's.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> LaneBacklog {
        match lane {
            Lane::Small => self.small,
            Lane::Large => self.large,
        }
    }

    /// Returns how many exports wait for a worker, in both lanes.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.small.queued + self.large.queued
    }

    /// Returns how many of them this program cannot run, in both lanes.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.small.unknown + self.large.unknown
    }

    /// Returns exports claimed per second, of both lanes; `None` when none was lately.
    #[must_use]
    pub fn drain_rate(&self) -> Option<f64> {
        let span = self.small.span.max(self.large.span);
        rate(self.small.claimed + self.large.claimed, span)
    }
}

/// What waits and runs in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LaneBacklog {
    /// Exports that wait for a worker.
    pub queued: u64,
    /// Those of them that ask for what this program does not know, so that only a newer one runs them.
    pub unknown: u64,
    /// Exports that a worker has claimed.
    pub running: u64,
    /// For how long the oldest of those that wait could have run already; `None` when none can.
    pub oldest: Option<Duration>,
    /// Claims of the last minute.
    pub claimed: u64,
    /// The span in which these claims fell: from the first of them until now.
    pub span: Duration,
}

/// What one organisation has going.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OrgActivity {
    /// Its unfinished exports.
    pub active: u64,
    /// Those that ended in the last minute.
    pub ended: u64,
    /// The span in which these ends fell: from the first of them until now.
    pub span: Duration,
}

impl OrgActivity {
    /// Returns exports ended per second; `None` when none did lately.
    #[must_use]
    pub fn drain_rate(&self) -> Option<f64> {
        rate(self.ended, self.span)
    }
}

fn rate(count: u64, span: Duration) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a minute's exports are few")]
    let events = count as f64;
    (count > 0).then(|| events / span.as_secs_f64().max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lanes_drain_together() {
        let lane = |claimed, seconds| LaneBacklog {
            claimed,
            span: Duration::from_secs(seconds),
            ..LaneBacklog::default()
        };
        let backlog = Backlog {
            small: lane(30, 10),
            large: lane(10, 20),
        };
        assert_eq!(backlog.drain_rate(), Some(2.0));
        assert_eq!(Backlog::default().drain_rate(), None);
        assert_eq!(rate(5, Duration::ZERO), Some(5.0), "no rate of an instant");
    }
}
