//! One measured thing: a value a round, their median, what it is compared with, and its target.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// The unit of every value.
    pub(crate) unit: Unit,
    /// One value a round, in the order of the rounds.
    pub(crate) values: Vec<f64>,
    /// Their median.
    pub(crate) median: f64,
    /// How it stands against another figure.
    pub(crate) comparison: Option<Comparison>,
    /// What it has to reach.
    pub(crate) target: Option<Target>,
    /// What else is worth knowing.
    pub(crate) note: Option<String>,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "%")]
    Percent,
    #[serde(rename = "1")]
    Number,
}

/// Median against median.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// What the other figure measures.
    pub(crate) against: String,
    /// This median divided by the other.
    pub(crate) ratio: f64,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Target {
    of: Of,
    bound: Bound,
    limit: f64,
    /// Whether it did.
    pub(crate) met: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Median,
    Ratio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtMost,
    AtLeast,
}

impl Figure {
    /// A figure of these values; there is at least one.
    pub(crate) fn new(what: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        Self {
            what: what.into(),
            unit,
            median: median(&values),
            values,
            comparison: None,
            target: None,
            note: None,
        }
    }

    /// A figure of durations, in seconds.
    pub(crate) fn of_durations(what: impl Into<String>, durations: &[Duration]) -> Self {
        let seconds = durations.iter().map(Duration::as_secs_f64).collect();
        Self::new(what, Unit::Seconds, seconds)
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Compares it with another figure, where there is one.
    pub(crate) fn against(mut self, other: Option<&Self>) -> Self {
        self.comparison = other.map(|other| Comparison {
            against: other.what.clone(),
            ratio: self.median / other.median,
        });
        self
    }

    /// The ratio must not be higher. Without a comparison there is nothing to reach.
    pub(crate) fn ratio_at_most(self, limit: f64) -> Self {
        self.target(Of::Ratio, Bound::AtMost, limit)
    }

    /// The ratio must not be lower. Without a comparison there is nothing to reach.
    pub(crate) fn ratio_at_least(self, limit: f64) -> Self {
        self.target(Of::Ratio, Bound::AtLeast, limit)
    }

    /// The median must not be higher.
    pub(crate) fn at_most(self, limit: f64) -> Self {
        self.target(Of::Median, Bound::AtMost, limit)
    }

    /// The median must not be lower.
    pub(crate) fn at_least(self, limit: f64) -> Self {
        self.target(Of::Median, Bound::AtLeast, limit)
    }

    fn target(mut self, of: Of, bound: Bound, limit: f64) -> Self {
        let reached = match of {
            Of::Median => Some(self.median),
            Of::Ratio => self.comparison.as_ref().map(|comparison| comparison.ratio),
        };
        self.target = reached.map(|reached| Target {
            of,
            bound,
            limit,
            met: match bound {
                Bound::AtMost => reached <= limit,
                Bound::AtLeast => reached >= limit,
            },
        });
        self
    }

    /// The target as a reader sees it.
    pub(crate) fn target_text(&self) -> Option<String> {
        let target = self.target?;
        let sign = match target.bound {
            Bound::AtMost => "≤",
            Bound::AtLeast => "≥",
        };
        Some(match target.of {
            Of::Median => format!("{sign} {} {}", target.limit, self.unit),
            Of::Ratio => format!("{sign} {:.2} ×", target.limit),
        })
    }
}

impl Unit {
    /// A value of this unit with as many digits as it deserves, without the unit.
    pub(crate) fn number(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{value:.2}"),
            Self::Milliseconds | Self::Mebibytes | Self::Percent => format!("{value:.1}"),
            Self::PerSecond | Self::MegabytesPerSecond | Self::Microseconds | Self::Number => {
                format!("{value:.0}")
            }
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "µs",
            Self::Percent => "%",
            Self::Number => "",
        })
    }
}

/// The median; of an even number of values the mean of the middle two. NaN of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The duration that `percent` of all do not exceed (nearest rank), in milliseconds. NaN of none.
pub(crate) fn percentile_ms(durations: &[Duration], percent: usize) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted
        .get(rank - 1)
        .map_or(f64::NAN, |duration| duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let hundred: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&hundred, 50), 50.0);
        assert_eq!(percentile_ms(&hundred, 99), 99.0);
        assert_eq!(percentile_ms(&hundred[..1], 99), 100.0);
        assert!(percentile_ms(&[], 50).is_nan());
    }

    #[test]
    fn a_target_is_met_or_missed_and_needs_something_to_be_held_against() {
        let base = Figure::new("base", Unit::Seconds, vec![2.0, 2.0, 9.0]);
        let half = || Figure::new("half", Unit::Seconds, vec![1.0]);
        let met = |figure: Figure| figure.target.map(|target| target.met);
        assert_eq!(
            met(half().against(Some(&base)).ratio_at_most(0.5)),
            Some(true)
        );
        assert_eq!(
            met(half().against(Some(&base)).ratio_at_most(0.49)),
            Some(false)
        );
        assert_eq!(
            met(half().against(Some(&base)).ratio_at_least(0.51)),
            Some(false)
        );
        assert_eq!(met(half().against(None).ratio_at_most(0.5)), None);
        assert_eq!(met(half().at_most(0.9)), Some(false));
        assert_eq!(met(half().at_least(1.0)), Some(true));
        assert_eq!(
            half().at_most(64.0).target_text().as_deref(),
            Some("≤ 64 s")
        );
    }
}
