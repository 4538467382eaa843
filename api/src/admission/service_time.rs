//! How long places are held, lately: an exponentially weighted mean.

use std::time::Duration;

/// What one hold weighs in the mean.
const HOLD_WEIGHT: f64 = 1.0 / 8.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct MeanHold {
    seconds: Option<f64>,
    longest: Duration,
}

impl MeanHold {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            seconds: None,
            longest,
        }
    }

    pub(crate) fn add(&mut self, hold: Duration) {
        let hold = hold.as_secs_f64();
        self.seconds = Some(
            self.seconds
                .map_or(hold, |mean| mean + HOLD_WEIGHT * (hold - mean)),
        );
    }

    /// The mean, once a slot was given back.
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
        let mut hold = MeanHold::new(Duration::from_secs(2));
        assert_eq!(hold.mean(), Duration::from_secs(2), "nothing measured yet");
        hold.add(Duration::from_millis(800));
        assert_eq!(hold.mean(), Duration::from_millis(800));
        hold.add(Duration::ZERO);
        assert_eq!(hold.mean(), Duration::from_millis(700));
        for _ in 0..100 {
            hold.add(Duration::from_millis(10));
        }
        assert!(hold.mean() < Duration::from_millis(11));
    }
}
