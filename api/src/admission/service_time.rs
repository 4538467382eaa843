//! How long places were held lately: an exponentially weighted moving average (EWMA).

use std::time::Duration;

/// What one measurement weighs in the mean.
const WEIGHT: f64 = 1.0 / 8.0;

/// The mean time for which a place is held.
#[derive(Debug)]
pub(crate) struct ServiceTime {
    seconds: Option<f64>,
    longest: Duration,
}

impl ServiceTime {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            seconds: None,
            longest,
        }
    }

    pub(crate) fn record(&mut self, hold: Duration) {
        let hold = hold.as_secs_f64();
        self.seconds = Some(
            self.seconds
                .map_or(hold, |mean| mean + WEIGHT * (hold - mean)),
        );
    }

    /// Returns the mean, once a slot was given back.
    pub(crate) fn measured(&self) -> Option<Duration> {
        self.seconds.map(Duration::from_secs_f64)
    }

    pub(crate) fn mean(&self) -> Duration {
        self.measured().unwrap_or(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_hold_follows_what_is_measured() {
        let mut time = ServiceTime::new(Duration::from_secs(2));
        assert_eq!(time.mean(), Duration::from_secs(2), "nothing measured yet");
        time.record(Duration::from_millis(800));
        assert_eq!(time.mean(), Duration::from_millis(800));
        time.record(Duration::ZERO);
        assert_eq!(time.mean(), Duration::from_millis(700));
        for _ in 0..100 {
            time.record(Duration::from_millis(10));
        }
        assert!(time.mean() < Duration::from_millis(11));
    }
}
