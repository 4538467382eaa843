//! The forms in which values compare, and literals.

use chrono::{DateTime, Utc};

use crate::catalog::{Expression, InstantForm};
use crate::column::{Column, ColumnType};
use crate::query::Literal;
use crate::source::statement::quoted_text;
use crate::source::stored_types::StoredTypes;

pub(super) fn text(expression: &Expression) -> &str {
    expression.sqlite.as_deref().unwrap_or(&expression.sql)
}

pub(super) fn comparable(expression: &Expression, column: &Column, types: &StoredTypes) -> String {
    operand(expression, &column.name, column.column_type, types)
}

/// An expression in the form in which values of its type compare as the type says. Of strings that is their
/// text, for 7 and '7' are shown alike; a column of texts has nothing else. `name` is for errors.
pub(super) fn operand(
    expression: &Expression,
    name: &str,
    column_type: ColumnType,
    types: &StoredTypes,
) -> String {
    let sql = text(expression);
    let name = quoted_text(name);
    match column_type {
        ColumnType::String | ColumnType::Json if types.name_of(sql) == "TEXT" => {
            format!("({sql}) COLLATE BINARY")
        }
        ColumnType::String | ColumnType::Json => {
            format!("waybill_text({sql}, {name}) COLLATE BINARY")
        }
        ColumnType::Integer | ColumnType::Float | ColumnType::Date if may_be_number(sql) => {
            format!("ifnull({sql}, NULL)")
        }
        ColumnType::Integer | ColumnType::Float | ColumnType::Date => format!("({sql})"),
        ColumnType::Boolean => format!("waybill_boolean({sql}, {name})"),
        ColumnType::Decimal => format!("waybill_decimal({sql}, {name}) COLLATE waybill_decimal"),
        ColumnType::Timestamp => {
            let form = form_argument(expression.form);
            format!("waybill_timestamp({sql}, {name}, {form})")
        }
        ColumnType::Uuid => format!("waybill_uuid({sql}, {name})"),
    }
}

pub(super) fn form_argument(form: Option<InstantForm>) -> String {
    form.map_or_else(|| "NULL".to_owned(), |form| quoted_text(form.name()))
}

/// Whether an expression may be a bare number, which GROUP BY and ORDER BY take for the place of a column, in
/// parentheses and with a sign, too.
fn may_be_number(sql: &str) -> bool {
    let first = sql.trim_start_matches(|c: char| c.is_whitespace() || "(+-".contains(c));
    first.starts_with(|c: char| c.is_ascii_digit() || c == '/') || sql.contains("--")
}

pub(super) fn literal(value: &Literal) -> String {
    match value {
        Literal::String(text) => quoted_text(text),
        Literal::Integer(number) if *number == i64::MIN => {
            // SQLite reads the digits before the sign, and they alone are out of range.
            "(-9223372036854775807 - 1)".to_owned()
        }
        Literal::Integer(number) => number.to_string(),
        Literal::Float(number) => format!("{number:e}"),
        Literal::Decimal(text) => quoted_text(text),
        Literal::Boolean(truth) => u8::from(*truth).to_string(),
        Literal::Timestamp(instant) => timestamp(*instant),
        Literal::Date(day) => quoted_text(&day.format("%Y-%m-%d").to_string()),
        Literal::Uuid(uuid) => quoted_text(&uuid.hyphenated().to_string()),
    }
}

/// The form that `waybill_timestamp` gives an instant: of fixed width, so that text order is time order.
fn timestamp(instant: DateTime<Utc>) -> String {
    quoted_text(&instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}
