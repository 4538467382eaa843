//! The forms that an expression has in a statement: selected, sent, grouped and ordered.

use crate::catalog::{Expression, Grain};
use crate::column::ColumnType;
use crate::source::stored_types::StoredTypes;

/// A dimension of the result. What is grouped by is selected in the very form in which it is grouped.
pub(super) fn dimension(
    expression: &Expression,
    column_type: ColumnType,
    grain: Grain,
    types: &StoredTypes,
) -> String {
    let selected = match (grain, column_type) {
        (Grain::Row, _) => value(expression, column_type, types),
        (Grain::Aggregate, ColumnType::Json) => {
            format!("({})::json", grouped(expression, column_type, types))
        }
        (Grain::Aggregate, _) => grouped(expression, column_type, types),
    };
    sent(selected, column_type)
}

/// The form in which a value is sent: a document as its text, whose length is known.
pub(super) fn sent(selected: String, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Json => format!("{selected}::text"),
        _ => selected,
    }
}

/// The form in which values of a type are grouped: text by its bytes, and documents, of which no two
/// are equal to PostgreSQL, as their text. A cast of a collation's text would do away with the
/// collation, so documents go without.
pub(super) fn grouped(
    expression: &Expression,
    column_type: ColumnType,
    types: &StoredTypes,
) -> String {
    match column_type {
        ColumnType::Json => value(expression, ColumnType::String, types),
        column_type => ordered(expression, column_type, types),
    }
}

/// The form in which values of a type are ordered.
pub(super) fn ordered(
    expression: &Expression,
    column_type: ColumnType,
    types: &StoredTypes,
) -> String {
    match column_type {
        ColumnType::String | ColumnType::Json => {
            format!(
                "{} COLLATE \"C\"",
                value(expression, ColumnType::String, types)
            )
        }
        column_type => value(expression, column_type, types),
    }
}

/// An expression as a value of its catalog type, without a digit more or less than the database has.
pub(super) fn value(
    expression: &Expression,
    column_type: ColumnType,
    types: &StoredTypes,
) -> String {
    let sql = sql(expression);
    match (column_type, types.name_of(sql)) {
        // The double that is nearest has digits that were never stored.
        (ColumnType::Float, "float4") => format!("({sql})::text::float8"),
        // Whole or not, which a cast to an integer would hide; see `sends_numeric`.
        (ColumnType::Integer, "numeric") => format!("({sql})::numeric"),
        (ColumnType::Integer, "float4" | "float8") => format!("({sql})::text::numeric"),
        // As `psql` prints it: a cast adds the mask of a single host.
        (ColumnType::String, "inet") => format!("abbrev({sql})"),
        (column_type, _) => format!("({sql})::{}", type_name(column_type)),
    }
}

fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "text",
        ColumnType::Integer => "int8",
        ColumnType::Float => "float8",
        ColumnType::Decimal => "numeric",
        ColumnType::Boolean => "bool",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Uuid => "uuid",
        ColumnType::Json => "json",
    }
}

pub(super) fn sql(expression: &Expression) -> &str {
    expression.postgres.as_deref().unwrap_or(&expression.sql)
}
