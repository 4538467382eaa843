//! The functions and the collation that statements for SQLite use: each gives a value the one form
//! in which values of its type compare.

use std::cmp::Ordering;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Error, ToSql};

use super::{sizes, value};

pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    scalar(connection, "waybill_timestamp", |context| {
        let micros = value::micros(context.get_raw(0)).map_err(refused)?;
        Ok(micros.and_then(value::comparable_instant))
    })?;
    scalar(connection, "waybill_decimal", |context| {
        value::decimal(context.get_raw(0)).map_err(refused)
    })?;
    scalar(connection, "waybill_uuid", |context| {
        let uuid = value::uuid(context.get_raw(0)).map_err(refused)?;
        Ok(uuid.map(|uuid| uuid.hyphenated().to_string()))
    })?;
    scalar(connection, "waybill_boolean", |context| {
        value::boolean(context.get_raw(0)).map_err(refused)
    })?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("waybill_oversize", 2, flags, |context| {
        let refusal = sizes::refusal(context.get(0)?, context.get(1)?);
        Err::<Option<i64>, _>(Error::UserFunctionError(refusal.into()))
    })?;
    connection.create_collation("waybill_decimal", compare_decimals)
}

fn scalar<T: ToSql + 'static>(
    connection: &Connection,
    name: &str,
    function: fn(&Context<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(name, 1, flags, function)
}

fn refused(reason: &'static str) -> Error {
    Error::UserFunctionError(reason.into())
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
