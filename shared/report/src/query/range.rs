//! Which rows by their time.

use serde_json::{Map, Value};

use super::error::FaultCode;
use super::faults::Faults;
use super::instant::parse_instant;
use super::literal::EXPECTED_INSTANT;
use super::pointer::Pointer;
use super::report_query::TimeRange;
use crate::catalog::Dataset;

/// Reads the `time_range` of a query.
pub(super) fn time_range(
    members: &Map<String, Value>,
    at: &Pointer,
    dataset: Option<&Dataset>,
    faults: &mut Faults,
) -> Option<TimeRange> {
    let at = at.member("time_range");
    let Some(value) = members.get("time_range") else {
        return faults.wrong(&at, "required: an object with from and to");
    };
    let range = faults.object(value, &at, &["from", "to"])?;
    let mut instant = |name: &str| {
        let at = at.member(name);
        let parsed = match range.get(name) {
            Some(value) => value.as_str().and_then(parse_instant),
            None => return faults.wrong(&at, "required: an RFC 3339 instant"),
        };
        if parsed.is_none() {
            faults.add(&at, FaultCode::InvalidTimeRange, EXPECTED_INSTANT);
        }
        parsed
    };
    let (from, to) = (instant("from"), instant("to"));
    let (from, to) = (from?, to?);
    if from >= to {
        faults.add(&at, FaultCode::InvalidTimeRange, "from must be before to");
        return None;
    }
    let range = TimeRange { from, to };
    if let Some(dataset) = dataset {
        check_length(range, dataset, &at, faults);
    }
    Some(range)
}

/// Holds a range against what the dataset allows.
pub(super) fn check_length(range: TimeRange, dataset: &Dataset, at: &Pointer, faults: &mut Faults) {
    if let Some(days) = dataset.max_range_days
        && range.to - range.from > chrono::Duration::days(i64::from(days))
    {
        let detail = format!("the range is longer than the {days} days that this dataset allows");
        faults.add(at, FaultCode::InvalidTimeRange, detail);
    }
}
