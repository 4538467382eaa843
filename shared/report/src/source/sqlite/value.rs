//! What a stored value means. SQLite has five storage classes and no column types; every conversion
//! here is exact or refused, never a guess.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rusqlite::types::ValueRef;
use uuid::Uuid;

use crate::catalog::InstantForm;
use crate::query::plain_decimal;

const OUT_OF_RANGE: &str = "an instant outside the years 0001 to 9999";
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MILLI: i64 = 1_000;
const MICROS_PER_DAY: f64 = 86_400e6;
/// 1970-01-01T00:00:00Z as a Julian day number.
const JULIAN_DAY_OF_EPOCH: f64 = 2_440_587.5;

/// Microseconds since 1970 of an instant in its form or, where none is given, in one of SQLite's three
/// ways: ISO 8601 text (without an offset it is UTC, a bare day is its midnight), Unix seconds as an
/// INTEGER, a Julian day as a REAL. `None` for NULL.
pub(super) fn micros(
    value: ValueRef<'_>,
    form: Option<InstantForm>,
) -> Result<Option<i64>, &'static str> {
    use InstantForm::{EpochMs, EpochS, Julian, Rfc3339};
    let micros = match (value, form) {
        (ValueRef::Null, _) => return Ok(None),
        (ValueRef::Integer(seconds), None | Some(EpochS)) => {
            seconds.checked_mul(MICROS_PER_SECOND).ok_or(OUT_OF_RANGE)?
        }
        (ValueRef::Integer(millis), Some(EpochMs)) => {
            millis.checked_mul(MICROS_PER_MILLI).ok_or(OUT_OF_RANGE)?
        }
        (ValueRef::Real(seconds), Some(EpochS)) => whole(seconds * 1e6)?,
        (ValueRef::Real(millis), Some(EpochMs)) => whole(millis * 1e3)?,
        (ValueRef::Real(day), None | Some(Julian)) => julian(day)?,
        #[expect(clippy::cast_precision_loss, reason = "days in range are exact")]
        (ValueRef::Integer(day), Some(Julian)) => julian(day as f64)?,
        (ValueRef::Text(text), None | Some(Rfc3339)) => {
            parse_micros(text).ok_or("text that is no ISO 8601 instant")?
        }
        (ValueRef::Text(_), Some(_)) => return Err("text where a number is expected"),
        (ValueRef::Integer(_) | ValueRef::Real(_), Some(Rfc3339)) => {
            return Err("a number where text is expected");
        }
        (ValueRef::Blob(_), _) => return Err("a BLOB where an instant is expected"),
    };
    match DateTime::from_timestamp_micros(micros) {
        Some(instant) if (1..=9999).contains(&instant.year()) => Ok(Some(micros)),
        _ => Err(OUT_OF_RANGE),
    }
}

/// Microseconds since 1970 of a Julian day.
fn julian(day: f64) -> Result<i64, &'static str> {
    // A double holds a Julian day to about 40 µs: milliseconds are what SQLite means by it.
    let millis = whole((day - JULIAN_DAY_OF_EPOCH) * MICROS_PER_DAY / 1e3)?;
    millis.checked_mul(MICROS_PER_MILLI).ok_or(OUT_OF_RANGE)
}

/// The nearest whole number, of one that is no more than some thousand years in microseconds.
fn whole(number: f64) -> Result<i64, &'static str> {
    let number = number.round();
    if !(-1e18..1e18).contains(&number) {
        return Err(OUT_OF_RANGE);
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
    Ok(number as i64)
}

/// As [`micros`] without a form, as an instant.
pub(super) fn instant(value: ValueRef<'_>) -> Result<Option<DateTime<Utc>>, &'static str> {
    Ok(micros(value, None)?.and_then(DateTime::from_timestamp_micros))
}

/// The text of a string: numbers as they are shown.
pub(super) fn text(value: ValueRef<'_>) -> Result<Option<Cow<'_, str>>, &'static str> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| "text that is no UTF-8")?;
            Some(text.into())
        }
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
        ValueRef::Blob(_) => return Err("a BLOB where text is expected"),
    })
}

fn parse_micros(text: &[u8]) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let day = parse_day(day)?;
    let midnight = i64::from(day) * 86_400 * MICROS_PER_SECOND;
    let (Some(separator), rest) = (rest.first(), rest.get(1..).unwrap_or_default()) else {
        return Some(midnight);
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = rest.split_at_checked(5)?;
    let mut rest = rest;
    let (hours, minutes) = (two_digits(&clock[..2])?, two_digits(&clock[3..])?);
    if clock[2] != b':' || hours > 23 || minutes > 59 {
        return None;
    }
    let mut micros = (hours * 60 + minutes) * 60 * MICROS_PER_SECOND;
    if let Some(seconds) = rest.strip_prefix(b":") {
        let (digits, after) = seconds.split_at_checked(2)?;
        let seconds = two_digits(digits).filter(|seconds| *seconds <= 59)?;
        micros += seconds * MICROS_PER_SECOND;
        rest = after;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let length = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if length == 0 {
                return None;
            }
            let mut unit = MICROS_PER_SECOND / 10;
            for digit in fraction.iter().take(length.min(6)) {
                micros += i64::from(digit - b'0') * unit;
                unit /= 10;
            }
            rest = &fraction[length..];
        }
    }
    let offset = parse_offset(rest)?;
    Some(midnight + micros - offset * 60 * MICROS_PER_SECOND)
}

/// Minutes east of UTC: nothing, `Z`, `±HH`, `±HHMM` or `±HH:MM`.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (sign, digits) = match text {
        b"" | b"Z" | b"z" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (two_digits(digits)?, 0),
        4 => (two_digits(&digits[..2])?, two_digits(&digits[2..])?),
        5 if digits[2] == b':' => (two_digits(&digits[..2])?, two_digits(&digits[3..])?),
        _ => return None,
    };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn two_digits(text: &[u8]) -> Option<i64> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => None,
    }
}

/// Days since 1970 of `YYYY-MM-DD`, years 0001 to 9999.
pub(super) fn parse_day(text: &[u8]) -> Option<i32> {
    let (century, rest) = text.split_at_checked(2)?;
    let &[y1, y2, b'-', m1, m2, b'-', d1, d2] = rest else {
        return None;
    };
    let year = two_digits(century)? * 100 + two_digits(&[y1, y2])?;
    let (month, day) = (two_digits(&[m1, m2])?, two_digits(&[d1, d2])?);
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok().filter(|year| *year >= 1)?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    Some(date.to_epoch_days())
}

/// The fixed-width form in which instants are compared: `2026-04-24T00:00:00.000000Z`.
pub(super) fn comparable_instant(micros: i64) -> Option<String> {
    let instant = DateTime::<Utc>::from_timestamp_micros(micros)?;
    Some(instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// The text of a decimal: INTEGER as it is, REAL in plain notation, TEXT if it is a decimal number.
pub(super) fn decimal(value: ValueRef<'_>) -> Result<Option<String>, &'static str> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number.to_string())),
        // Rust prints the shortest digits that round-trip, without exponent.
        ValueRef::Real(number) if number.is_finite() => Ok(Some(number.to_string())),
        ValueRef::Real(number) => Ok(Some(
            if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }
            .to_owned(),
        )),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(plain_decimal)
            .map(Some)
            .ok_or("text that is no decimal number"),
        ValueRef::Blob(_) => Err("a BLOB where a decimal is expected"),
    }
}

/// A UUID stored as text in any of its notations or as a BLOB of 16 bytes.
pub(super) fn uuid(value: ValueRef<'_>) -> Result<Option<Uuid>, &'static str> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => Uuid::try_parse_ascii(text)
            .map(Some)
            .map_err(|_| "text that is no UUID"),
        ValueRef::Blob(bytes) => Uuid::from_slice(bytes)
            .map(Some)
            .map_err(|_| "a BLOB that is not 16 bytes long where a UUID is expected"),
        ValueRef::Integer(_) | ValueRef::Real(_) => Err("a number where a UUID is expected"),
    }
}

/// A truth value stored as 0 or 1, or as the text `true` or `false`.
pub(super) fn boolean(value: ValueRef<'_>) -> Result<Option<bool>, &'static str> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(0) | ValueRef::Text(b"false") => Ok(Some(false)),
        ValueRef::Integer(1) | ValueRef::Text(b"true") => Ok(Some(true)),
        _ => Err("a value other than 0, 1, true and false where a boolean is expected"),
    }
}

/// A whole number; a REAL counts if it is one.
pub(super) fn integer(value: ValueRef<'_>) -> Result<Option<i64>, &'static str> {
    /// Every whole double below 2^53 is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number)),
        ValueRef::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "checked in the guard")]
            Ok(Some(number as i64))
        }
        ValueRef::Real(_) => Err("a fraction where an integer is expected"),
        ValueRef::Text(_) => Err("text where an integer is expected"),
        ValueRef::Blob(_) => Err("a BLOB where an integer is expected"),
    }
}

/// A double.
pub(super) fn float(value: ValueRef<'_>) -> Result<Option<f64>, &'static str> {
    match value {
        ValueRef::Null => Ok(None),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a float column is read as doubles"
        )]
        ValueRef::Integer(number) => Ok(Some(number as f64)),
        ValueRef::Real(number) => Ok(Some(number)),
        ValueRef::Text(_) => Err("text where a float is expected"),
        ValueRef::Blob(_) => Err("a BLOB where a float is expected"),
    }
}

/// A day: `YYYY-MM-DD`.
pub(super) fn day(value: ValueRef<'_>) -> Result<Option<i32>, &'static str> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) if text.len() == 10 => parse_day(text)
            .map(Some)
            .ok_or("text that is no day of the form YYYY-MM-DD"),
        _ => Err("a value other than a day of the form YYYY-MM-DD"),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    fn rfc3339(text: &str) -> Option<String> {
        let instant = instant(ValueRef::Text(text.as_bytes())).ok()??;
        Some(instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn instants_are_read_in_the_forms_that_sqlite_files_hold() {
        for (stored, expected) in [
            ("2026-04-24", "2026-04-24T00:00:00Z"),
            ("2026-04-24 01:02", "2026-04-24T01:02:00Z"),
            ("2026-04-24 01:02:03", "2026-04-24T01:02:03Z"),
            ("2026-04-24T01:02:03.5Z", "2026-04-24T01:02:03.500Z"),
            (
                "2026-04-24T01:02:03.123456789Z",
                "2026-04-24T01:02:03.123456Z",
            ),
            ("2026-04-24T01:02:03+02:00", "2026-04-23T23:02:03Z"),
            ("2026-04-24 01:02:03-0330", "2026-04-24T04:32:03Z"),
            ("2026-04-24 01:02:03 +02", "2026-04-23T23:02:03Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(stored).as_deref(), Some(expected), "{stored}");
        }
        for wrong in [
            "",
            "now",
            "2026-4-24",
            "2026-02-30",
            "2026-04-24X01:02",
            "2026-04-24 24:00:00",
            "2026-04-24 01:02:03.",
            "2026-04-24 01:02:03 CET",
            "20260424T010203Z",
            "0000-01-01",
        ] {
            assert_eq!(rfc3339(wrong), None, "{wrong}");
        }
        let unix = micros(ValueRef::Integer(1_777_000_000), None).expect("Unix seconds");
        assert_eq!(unix, Some(1_777_000_000_000_000));
        let julian = micros(ValueRef::Real(2_461_154.75), None).expect("a Julian day");
        assert_eq!(julian, parse_micros(b"2026-04-24 06:00:00"));
        assert!(micros(ValueRef::Integer(i64::MAX), None).is_err());
        assert!(micros(ValueRef::Real(f64::INFINITY), None).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_instant_that_compares_or_none(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][T ]?[0-2]?[0-9:.]{0,12}[Zz+ -]?[0-9:é]{0,6}") {
            if let Ok(Some(micros)) = micros(ValueRef::Text(text.as_bytes()), None) {
                let comparable = comparable_instant(micros).expect("in range");
                assert_eq!(parse_micros(comparable.as_bytes()), Some(micros));
            }
        }

        #[test]
        fn any_bytes_are_a_value_or_none(bytes: Vec<u8>) {
            for value in [ValueRef::Text(&bytes), ValueRef::Blob(&bytes)] {
                let _ = (micros(value, None), decimal(value), boolean(value), day(value));
                let uuid_again = uuid(value).map(|uuid| uuid.map(|uuid| uuid.to_string()));
                if let Ok(Some(text)) = uuid_again {
                    assert_eq!(uuid(ValueRef::Text(text.as_bytes())).map(|uuid| uuid.is_some()), Ok(true));
                }
            }
        }
    }

    #[test]
    fn an_instant_of_another_form_is_refused() {
        use InstantForm::{EpochMs, EpochS, Julian, Rfc3339};
        let at = Ok(parse_micros(b"2026-04-24T06:00:00.5Z"));
        for (form, value) in [
            (Rfc3339, ValueRef::Text(b"2026-04-24 08:00:00.5+02:00")),
            (EpochS, ValueRef::Real(1_777_010_400.5)),
            (EpochMs, ValueRef::Integer(1_777_010_400_500)),
            (EpochMs, ValueRef::Real(1_777_010_400_500.0)),
        ] {
            assert_eq!(micros(value, Some(form)), at, "{form:?}");
            for other in InstantForm::VARIANTS {
                let read = micros(value, Some(*other));
                assert!(*other == form || read != at, "{other:?}");
            }
            assert_eq!(micros(ValueRef::Null, Some(form)), Ok(None));
        }
        let noon = Ok(parse_micros(b"2026-04-24T12:00:00Z"));
        assert_eq!(micros(ValueRef::Integer(2_461_155), Some(Julian)), noon);
        assert_eq!(micros(ValueRef::Real(2_461_155.0), Some(Julian)), noon);
        for (form, value) in [
            (Rfc3339, ValueRef::Integer(1)),
            (Rfc3339, ValueRef::Text(b"24.04.2026")),
            (EpochS, ValueRef::Text(b"1777010400")),
            (EpochS, ValueRef::Integer(1_777_010_400_500)),
            (EpochMs, ValueRef::Real(f64::NAN)),
            (Julian, ValueRef::Real(1_777_010_400.5)),
        ] {
            assert!(micros(value, Some(form)).is_err(), "{form:?}");
        }
    }

    #[test]
    fn values_of_another_type_are_refused() {
        assert!(integer(ValueRef::Text(b"12")).is_err());
        assert!(integer(ValueRef::Real(1.5)).is_err());
        assert_eq!(integer(ValueRef::Real(3.0)), Ok(Some(3)));
        assert!(boolean(ValueRef::Integer(2)).is_err());
        assert!(uuid(ValueRef::Text(b"not-a-uuid")).is_err());
        assert!(decimal(ValueRef::Text(b"12,5")).is_err());
        assert_eq!(decimal(ValueRef::Real(0.1)), Ok(Some("0.1".to_owned())));
        assert_eq!(
            decimal(ValueRef::Text(b"1.50")),
            Ok(Some("1.50".to_owned()))
        );
        assert!(day(ValueRef::Text(b"2026-04-24T00:00:00Z")).is_err());
    }
}
