//! Typed values of filters, made from JSON.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::instant::parse_instant;
use crate::column::ColumnType;

/// The most digits of a decimal in a filter, exponent written out.
const MAX_DECIMAL_DIGITS: usize = 1_000;

/// A value that fits a column type. Text holds no NUL, floats are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text without NUL, which PostgreSQL cannot hold.
    String(String),
    /// A 64-bit integer.
    Integer(i64),
    /// A finite double.
    Float(f64),
    /// Plain decimal notation: `-?[0-9]+(\.[0-9]+)?`.
    Decimal(String),
    /// A truth value.
    Boolean(bool),
    /// An instant; in a plan one of whole microseconds.
    Timestamp(DateTime<Utc>),
    /// A day.
    Date(NaiveDate),
    /// A UUID.
    Uuid(Uuid),
}

impl Literal {
    /// Makes a value of this type from a JSON scalar.
    ///
    /// # Errors
    /// What was expected instead.
    pub(super) fn from_json(column_type: ColumnType, value: &Value) -> Result<Self, &'static str> {
        match column_type {
            ColumnType::String => match value {
                Value::String(text) if text.contains('\0') => {
                    Err("text that holds a NUL character is never stored")
                }
                Value::String(text) => Ok(Self::String(text.clone())),
                _ => Err("expected a string"),
            },
            ColumnType::Integer => value
                .as_i64()
                .map(Self::Integer)
                .ok_or("expected a whole number of 64 bits"),
            ColumnType::Float => match value {
                Value::Number(number) => number
                    .as_f64()
                    .filter(|number| number.is_finite())
                    .map(Self::Float)
                    .ok_or("expected a number within the range of a double"),
                _ => Err("expected a number"),
            },
            ColumnType::Decimal => match value {
                Value::Number(number) => plain_decimal(&number.to_string()),
                Value::String(text) => plain_decimal(text),
                _ => None,
            }
            .map(Self::Decimal)
            .ok_or("expected a decimal number of at most 1000 digits, as a number or a string"),
            ColumnType::Boolean => value
                .as_bool()
                .map(Self::Boolean)
                .ok_or("expected true or false"),
            ColumnType::Timestamp => value
                .as_str()
                .and_then(parse_instant)
                .map(Self::Timestamp)
                .ok_or(EXPECTED_INSTANT),
            ColumnType::Date => value
                .as_str()
                .and_then(parse_day)
                .map(Self::Date)
                .ok_or("expected a day such as 2026-04-24"),
            ColumnType::Uuid => value
                .as_str()
                .and_then(|text| Uuid::try_parse(text).ok())
                .map(Self::Uuid)
                .ok_or("expected a UUID"),
            ColumnType::Json => Err("a JSON field can only be compared with null"),
        }
    }
}

pub(super) const EXPECTED_INSTANT: &str =
    "expected an RFC 3339 instant with an offset, such as 2026-04-24T00:00:00Z";

/// Reads `YYYY-MM-DD` of the years 0001 to 9999 and nothing that is only like it: chrono's reader allows
/// for signs and blanks.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let in_range = (1..=9999).contains(&chrono::Datelike::year(&day));
    (in_range && day.to_string() == text).then_some(day)
}

/// Writes a decimal number without exponent, sign `+` and needless leading zeros; its scale is kept.
pub(crate) fn plain_decimal(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let mut digits = format!("{whole}{fraction}");
    let mut scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    let written = digits.len() as u64 + scale.unsigned_abs();
    if written > MAX_DECIMAL_DIGITS as u64 {
        return None;
    }
    while scale < 0 {
        digits.push('0');
        scale += 1;
    }
    let scale = usize::try_from(scale).ok()?;
    if digits.len() <= scale {
        digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    let sign = if negative { "-" } else { "" };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_plainly_with_their_scale() {
        for (given, expected) in [
            ("1", "1"),
            ("-1.50", "-1.50"),
            ("+007.0", "7.0"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.25E+1", "12.5"),
            ("25e-4", "0.0025"),
            ("-0.00", "-0.00"),
        ] {
            assert_eq!(plain_decimal(given).as_deref(), Some(expected), "{given}");
        }
        for wrong in [
            "", "-", ".", "1,5", "NaN", "0x10", "1e", "1e99999", "1 ", "--1",
        ] {
            assert_eq!(plain_decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_written_in_one_way() {
        let day = |text| Literal::from_json(ColumnType::Date, &Value::from(text));
        assert!(day("0001-01-01").is_ok() && day("9999-12-31").is_ok());
        for wrong in [
            "2026- 4- 4",
            " 2026-4-24",
            "+999-01-01",
            "-001-01-01",
            "0000-01-01",
            "10000-01-01",
            "2026-02-30",
            "2026-4-24",
        ] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }
}
