//! The functions and the collation that statements for SQLite use: each gives a value the one form
//! in which values of its type compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Error, ToSql};

use super::{refusal, value};

/// Registers them. The second argument of each is the name of the column, for the error.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    scalar(connection, "waybill_timestamp", 3, |context| {
        let micros = micros(context).map_err(|reason| refused(context, reason))?;
        Ok(micros.and_then(value::comparable_instant))
    })?;
    scalar(connection, "waybill_micros", 3, |context| {
        micros(context).map_err(|reason| refused(context, reason))
    })?;
    scalar(connection, "waybill_is_instant", 3, |context| {
        Ok(Some(micros(context).is_ok()))
    })?;
    scalar(connection, "waybill_decimal", 2, |context| {
        value::decimal(context.get_raw(0)).map_err(|reason| refused(context, reason))
    })?;
    scalar(connection, "waybill_uuid", 2, |context| {
        let uuid = value::uuid(context.get_raw(0)).map_err(|reason| refused(context, reason))?;
        Ok(uuid.map(|uuid| uuid.hyphenated().to_string()))
    })?;
    scalar(connection, "waybill_boolean", 2, |context| {
        value::boolean(context.get_raw(0)).map_err(|reason| refused(context, reason))
    })?;
    scalar(connection, "waybill_text", 2, |context| {
        let text = value::text(context.get_raw(0)).map_err(|reason| refused(context, reason))?;
        Ok(text.map(Cow::into_owned))
    })?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("waybill_oversize", 2, flags, |context| {
        let refused = refusal::oversize(context.get(0)?, context.get(1)?);
        Err::<Option<i64>, _>(Error::UserFunctionError(refused.into()))
    })?;
    connection.create_collation("waybill_decimal", compare_decimals)
}

fn scalar<T: ToSql + 'static>(
    connection: &Connection,
    name: &str,
    arguments: i32,
    function: fn(&Context<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(name, arguments, flags, function)
}

/// The instant of the first argument, in the form that the third one names.
fn micros(context: &Context<'_>) -> Result<Option<i64>, &'static str> {
    let form = context.get_raw(2).as_str().ok();
    value::micros(context.get_raw(0), form.and_then(|name| name.parse().ok()))
}

fn refused(context: &Context<'_>, reason: &'static str) -> Error {
    let column = context.get_raw(1).as_str().unwrap_or_default();
    Error::UserFunctionError(refusal::value(column, reason).into())
}

/// Compares plain decimals by value: `1.0` equals `1.00`, `-2` is less than `1.5`.
fn compare_decimals(left: &str, right: &str) -> Ordering {
    let (left, right) = (Decimal::of(left), Decimal::of(right));
    match (left.rank, right.rank) {
        (Rank::Negative, Rank::Negative) => right.compare_magnitude(&left),
        (Rank::Positive, Rank::Positive) => left.compare_magnitude(&right),
        (left, right) => left.cmp(&right),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NegativeInfinity,
    Negative,
    Zero,
    Positive,
    Infinity,
}

struct Decimal<'a> {
    rank: Rank,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    fn of(text: &'a str) -> Self {
        let special = |rank| Self {
            rank,
            whole: "",
            fraction: "",
        };
        match text {
            "Infinity" => return special(Rank::Infinity),
            "-Infinity" => return special(Rank::NegativeInfinity),
            _ => {}
        }
        let (rank, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (Rank::Negative, unsigned),
            None => (Rank::Positive, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && fraction.is_empty();
        Self {
            rank: if zero { Rank::Zero } else { rank },
            whole,
            fraction,
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_by_value() {
        let sorted = [
            "-Infinity",
            "-100",
            "-9.5",
            "-9.05",
            "-0.1",
            "0",
            "0.09",
            "0.1",
            "1",
            "1.5",
            "9",
            "10",
            "123456789012345678901234567890",
            "Infinity",
        ];
        for (left_at, left) in sorted.iter().enumerate() {
            for (right_at, right) in sorted.iter().enumerate() {
                let order = compare_decimals(left, right);
                assert_eq!(order, left_at.cmp(&right_at), "{left} {right}");
            }
        }
        assert_eq!(compare_decimals("1.0", "1.00"), Ordering::Equal);
        assert_eq!(compare_decimals("-0.0", "0"), Ordering::Equal);
    }
}
