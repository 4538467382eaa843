//! What a scrape of `/metrics` says, read as a strict Prometheus server would: every line has to be of the
//! OpenMetrics text format, and every name and label as the conventions want them.
//!
//! Independent of the library that writes it, so that it can find fault with that too.

use std::collections::{BTreeMap, BTreeSet};

/// Every name begins so.
const PREFIX: &str = "waybill_";
/// The labels that there are. None of them may grow with clients or their data.
const LABELS: [&str; 8] = [
    "operation",
    "method",
    "status",
    "code",
    "lane",
    "outcome",
    "event",
    "version",
];
/// Units that a name may end with: base units alone.
const UNITS: [&str; 2] = ["seconds", "bytes"];
/// Parts of names that tell of a unit which is not a base unit.
const ODD_UNITS: [&str; 11] = [
    "ms",
    "millis",
    "milliseconds",
    "us",
    "micros",
    "ns",
    "minutes",
    "hours",
    "kb",
    "mb",
    "percent",
];

/// A scrape, by sample.
#[derive(Clone, Debug)]
pub struct Exposition {
    families: BTreeMap<String, Kind>,
    samples: BTreeMap<String, Vec<Sample>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

#[derive(Clone, Debug)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Exposition {
    /// Reads it; a panic names the line that breaks the format or a convention.
    #[must_use]
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let mut exposition = Self {
            families: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        let Some(body) = text.strip_suffix("# EOF\n") else {
            panic!("no # EOF at the end of {text}");
        };
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = described("HELP", line);
            assert!(help.ends_with('.') && help.len() > 20, "no help: {line}");
            let line = lines.next().unwrap_or_default();
            let (typed, kind) = described("TYPE", line);
            assert_eq!(name, typed, "{line} after the help of another one");
            let kind = Kind::of(kind);
            let line = lines.next_if(|line| line.starts_with("# UNIT "));
            let unit = line.map(|line| described("UNIT", line));
            check_name(name, kind, unit);
            let known = exposition.families.insert(name.to_owned(), kind);
            assert_eq!(known, None, "{name} is there twice");
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                exposition.add(name, kind, line);
            }
            if kind == Kind::Histogram {
                exposition.check_histogram(name);
            }
        }
        exposition
    }

    /// The names of all families, without what their kind adds to those of samples.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// The sum of the samples of this name that have these labels; `None` when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.samples.get(name)?;
        let matching: Vec<f64> = samples
            .iter()
            .filter(|sample| {
                labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
            })
            .map(|sample| sample.value)
            .collect();
        (!matching.is_empty()).then(|| matching.iter().sum())
    }

    /// As [`sum`](Self::sum), which has to be there.
    #[must_use]
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.sum(name, labels) {
            Some(value) => value,
            None => panic!("no {name} {labels:?}"),
        }
    }

    fn add(&mut self, family: &str, kind: Kind, line: &str) {
        let (name, labels, value) = sample(line);
        let suffix = name.strip_prefix(family);
        assert!(
            suffix.is_some_and(|suffix| kind.suffixes().contains(&suffix)),
            "{line}: no sample of {family}"
        );
        for (label, value) in &labels {
            let bucket = kind == Kind::Histogram && label == "le";
            assert!(
                bucket || LABELS.contains(&label.as_str()),
                "{line}: the label {label}"
            );
            assert!(!value.is_empty() && value.len() <= 40, "{line}: {label}");
        }
        let counts = kind != Kind::Gauge;
        assert!(value.is_finite() && (!counts || value >= 0.0), "{line}");
        let samples = self.samples.entry(name.to_owned()).or_default();
        let twice = samples.iter().any(|sample| sample.labels == labels);
        assert!(!twice, "{line}: there twice");
        samples.push(Sample { labels, value });
    }

    /// Buckets rise, and the last one has everything.
    fn check_histogram(&self, name: &str) {
        let of = |suffix: &str| {
            let samples = self.samples.get(&format!("{name}_{suffix}"));
            samples.map(Vec::as_slice).unwrap_or_default()
        };
        for count in of("count") {
            let mut last = 0.0;
            let mut bounds = BTreeSet::new();
            for bucket in of("bucket") {
                let mut labels = bucket.labels.clone();
                let bound = labels.remove("le").expect("every bucket has a bound");
                if labels != count.labels {
                    continue;
                }
                assert!(
                    bucket.value >= last,
                    "{name} {bound} holds less than before"
                );
                last = bucket.value;
                bounds.insert(bound);
            }
            assert!(bounds.contains("+Inf"), "{name} has no +Inf");
            assert_eq!(last, count.value, "{name}: +Inf has everything");
        }
    }
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "info" => Self::Info,
            _ => panic!("the kind {name}"),
        }
    }

    /// What the names of its samples end with.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total"],
            Self::Gauge => &[""],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Info => &["_info"],
        }
    }
}

/// The name and the text of a line of metadata.
#[track_caller]
fn described<'a>(what: &str, line: &'a str) -> (&'a str, &'a str) {
    let rest = line
        .strip_prefix("# ")
        .and_then(|rest| rest.strip_prefix(what))
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|rest| rest.split_once(' '));
    match rest {
        Some(described) => described,
        None => panic!("expected {what}, got {line:?}"),
    }
}

#[track_caller]
fn check_name(name: &str, kind: Kind, unit: Option<(&str, &str)>) {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    assert!(!rest.is_empty() && rest.chars().all(plain), "{name}");
    assert!(
        !rest.split('_').any(|part| ODD_UNITS.contains(&part)),
        "{name}: no base unit"
    );
    // What the kind adds to the names of samples is not in that of the family.
    assert!(
        !["_total", "_count", "_sum", "_bucket", "_info"]
            .iter()
            .any(|suffix| rest.ends_with(suffix)),
        "{name}"
    );
    let ends_with = |unit: &&&str| rest.ends_with(&format!("_{unit}"));
    match (unit, UNITS.iter().find(ends_with)) {
        (Some((of, unit)), Some(ending)) => {
            assert!(of == name && unit == *ending, "{name}: {unit}");
        }
        (Some((_, unit)), None) => panic!("{name} is measured in {unit} and does not say so"),
        (None, Some(unit)) => panic!("{name} is in {unit} and does not declare it"),
        (None, None) => assert!(kind != Kind::Histogram, "{name} measures nothing"),
    }
}

/// Name, labels and value of a sample.
#[track_caller]
fn sample(line: &str) -> (&str, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_default();
    let value = match value.parse() {
        Ok(value) => value,
        Err(error) => panic!("{line}: {error}"),
    };
    let Some((name, labels)) = series.split_once('{') else {
        return (series, BTreeMap::new(), value);
    };
    let Some(labels) = labels.strip_suffix('}') else {
        panic!("{line}: the labels have no end");
    };
    // No value of ours holds a comma or a quote.
    let labels = labels
        .split(',')
        .filter(|label| !label.is_empty())
        .map(|label| {
            let (label, value) = label.split_once('=').unwrap_or_default();
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            let Some(value) = value else {
                panic!("{line}: {label} has no value");
            };
            (label.to_owned(), value.to_owned())
        });
    (name, labels.collect(), value)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const GOOD: &str = "\
# HELP waybill_things Things that happened in this process.
# TYPE waybill_things counter
waybill_things_total{code=\"a\"} 1
waybill_things_total{code=\"b\"} 2
# HELP waybill_wait_seconds From there to here, in this process.
# TYPE waybill_wait_seconds histogram
# UNIT waybill_wait_seconds seconds
waybill_wait_seconds_sum 1.5
waybill_wait_seconds_count 2
waybill_wait_seconds_bucket{le=\"1.0\"} 1
waybill_wait_seconds_bucket{le=\"+Inf\"} 2
# HELP waybill_level How high it stands in this process.
# TYPE waybill_level gauge
waybill_level -3
# EOF
";

    #[test]
    fn what_is_right_is_read() {
        let read = Exposition::read(GOOD);
        let families: Vec<&str> = read.families().collect();
        assert_eq!(
            families,
            ["waybill_level", "waybill_things", "waybill_wait_seconds"]
        );
        assert_eq!(read.value("waybill_things_total", &[("code", "b")]), 2.0);
        assert_eq!(read.value("waybill_things_total", &[]), 3.0);
        assert_eq!(read.value("waybill_level", &[]), -3.0);
        assert_eq!(read.sum("waybill_things_total", &[("code", "c")]), None);
        assert_eq!(read.sum("waybill_others_total", &[]), None);
    }

    #[test]
    fn what_breaks_the_format_or_a_convention_is_found() {
        for (right, wrong) in [
            ("# EOF\n", ""),
            (
                "# HELP waybill_level How high it stands in this process.\n",
                "",
            ),
            ("How high it stands in this process.", "level."),
            ("# TYPE waybill_level gauge\n", ""),
            ("level gauge", "level summary"),
            ("waybill_level", "level"),
            ("waybill_level", "waybill_level_ms"),
            ("waybill_level", "waybill_level_bytes"),
            ("waybill_level", "waybill_level_total"),
            ("waybill_level", "waybill_things"),
            ("waybill_level -3", "waybill_level NaN"),
            ("waybill_level -3", "waybill_level{org=\"a\"} -3"),
            ("waybill_level -3", "waybill_level -3\nwaybill_level 4"),
            ("waybill_level -3", "waybill_other -3"),
            (
                "waybill_things_total{code=\"b\"} 2",
                "waybill_things{code=\"b\"} 2",
            ),
            (
                "waybill_things_total{code=\"b\"} 2",
                "waybill_things_total{code=\"b\"} -2",
            ),
            ("# UNIT waybill_wait_seconds seconds\n", ""),
            ("waybill_wait_seconds", "waybill_wait"),
            ("{le=\"+Inf\"} 2", "{le=\"+Inf\"} 0"),
            ("{le=\"+Inf\"} 2", "{le=\"+Inf\"} 1"),
            ("waybill_wait_seconds_bucket{le=\"+Inf\"} 2\n", ""),
        ] {
            assert!(GOOD.contains(right), "{right}");
            let text = GOOD.replace(right, wrong);
            let read = catch_unwind(|| drop(Exposition::read(&text)));
            assert!(read.is_err(), "{wrong:?} instead of {right:?} was read");
        }
    }
}
