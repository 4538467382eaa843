//! Rows of an organisation whose time is no instant. They sort where no range finds them, and a report without
//! them would be silently short.
//!
//! Owns how they are found without reading a row for each of them: along an index on the time, from month to
//! month. What lies within the range that the report reads is the report's own to find.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Statement};

use super::statement::TimeCheck;
use super::value;
use crate::catalog::InstantForm;

/// The first instant of the year 10000 in seconds.
const AFTER_LAST_SECOND: i64 = 253_402_300_800;
/// The same as a Julian day.
const AFTER_LAST_DAY: f64 = 5_373_484.5;
/// `YYYY-MM-DD` and `YYYY-MM`.
const DAY: usize = 10;
const MONTH: usize = 7;

/// What was found.
pub(super) enum Found {
    /// Every time outside of the report's range is an instant outside of it, as far as can be told.
    Nothing,
    /// One is not.
    Stray(&'static str),
    /// No index serves the search: the report has to read every row.
    NoIndex,
}

/// Looks for a stray.
pub(super) fn look(connection: &Connection, check: &TimeCheck) -> rusqlite::Result<Found> {
    if !is_served(connection, check)? {
        return Ok(Found::NoIndex);
    }
    let mut seek = connection.prepare_cached(&check.seek)?;
    let stray = match check.form {
        None => stray_text(&mut seek, check)?,
        Some(InstantForm::Rfc3339) => match first(&mut seek, f64::NEG_INFINITY.into())? {
            Some(Value::Integer(_) | Value::Real(_)) => Some("a number where text is expected"),
            _ => stray_text(&mut seek, check)?,
        },
        Some(form) => stray_number(&mut seek, form)?,
    };
    Ok(stray.map_or(Found::Nothing, Found::Stray))
}

/// The `rowid` of a row whose time is no instant; `None` where rows have none.
pub(super) fn row(connection: &Connection, check: &TimeCheck) -> Option<i64> {
    connection
        .query_row(&check.stray_row, [], |row| row.get(0))
        .ok()
}

/// Whether each search is a few steps in an index.
fn is_served(connection: &Connection, check: &TimeCheck) -> rusqlite::Result<bool> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", check.seek))?;
    let steps: Vec<String> = explain
        .query_map([f64::NEG_INFINITY], |row| row.get("detail"))?
        .collect::<Result<_, _>>()?;
    let [step] = &steps[..] else {
        return Ok(false);
    };
    let searched = step.rsplit_once('(').map_or("", |(_, columns)| columns);
    let by_organisation = searched.split(" AND ").any(|term| term.ends_with("=?"));
    Ok(step.starts_with("SEARCH ")
        && searched.ends_with(">?)")
        && by_organisation == check.has_organisation)
}

/// The first time that is not before this value.
fn first(seek: &mut Statement<'_>, from: Value) -> rusqlite::Result<Option<Value>> {
    let mut rows = seek.query([from])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// Follows the texts. Of those that begin with a day outside of the range that day is all that matters.
fn stray_text(
    seek: &mut Statement<'_>,
    check: &TimeCheck,
) -> rusqlite::Result<Option<&'static str>> {
    let (lower, upper) = &check.read_by_report;
    let mut from = String::new();
    loop {
        let text = match first(seek, Value::Text(from))? {
            None => return Ok(None),
            Some(Value::Text(text)) => text,
            Some(_) => return Ok(Some("a BLOB where an instant is expected")),
        };
        if *lower <= text && text < *upper {
            from = upper.clone();
            continue;
        }
        let begins_with_day = text.as_bytes().get(..DAY).is_some_and(|day| {
            let ends = text.as_bytes().get(DAY);
            value::parse_day(day).is_some() && matches!(ends, None | Some(b'T' | b't' | b' '))
        });
        if !begins_with_day {
            return Ok(Some("text that is no ISO 8601 instant"));
        }
        // In the months at the ends of the range each day counts.
        let month = text.get(..MONTH);
        let at_an_end = month == lower.get(..MONTH) || month == upper.get(..MONTH);
        from = after(&text, if at_an_end { DAY } else { MONTH });
    }
}

/// The least text after all that begin with the same `length` digits; of a month, those that go on as a day does.
fn after(text: &str, length: usize) -> String {
    if length == MONTH {
        return format!("{}.", &text[..MONTH]);
    }
    let (kept, last) = text[..length].split_at(length - 1);
    let next = last.bytes().next().map_or(':', |last| char::from(last + 1));
    format!("{kept}{next}")
}

/// Numbers sort before texts, and those that are no instants at the ends.
fn stray_number(
    seek: &mut Statement<'_>,
    form: InstantForm,
) -> rusqlite::Result<Option<&'static str>> {
    if first(seek, Value::Text(String::new()))?.is_some() {
        return Ok(Some("text or a BLOB where a number is expected"));
    }
    let end = match form {
        InstantForm::EpochS => Value::Integer(AFTER_LAST_SECOND),
        InstantForm::EpochMs => Value::Integer(AFTER_LAST_SECOND * 1_000),
        InstantForm::Julian | InstantForm::Rfc3339 => Value::Real(AFTER_LAST_DAY),
    };
    for from in [f64::NEG_INFINITY.into(), end] {
        if let Some(time) = first(seek, from)?
            && let Err(reason) = value::micros(ValueRef::from(&time), Some(form))
        {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}
