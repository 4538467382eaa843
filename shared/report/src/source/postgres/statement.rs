//! PostgreSQL's dialect.
//!
//! Every column is cast to its catalog type, so that a source decodes nine types and no more. What is
//! compared is left as it is and the literal is typed instead: only then an index of the operand
//! serves, and what has no such comparison is a fault that [`probe`] finds. Text is compared, grouped and
//! ordered by its bytes, whatever the collation of the database.

mod filters;
mod types;

use chrono::{DateTime, NaiveDate};
use uuid::Uuid;

use self::filters::{comparison, condition, organisation, text, within};
use crate::catalog::{Dataset, Expression, Field, Grain};
use crate::column::{Column, ColumnKind, ColumnType};
use crate::query::{FilterOp, Literal, ReportPlan, TimeRange};
use crate::source::statement::{
    Dialect, SizeGuard, Use, from_clause, order_and_limit, quoted_name,
};
use crate::source::stored_types::{StoredType, StoredTypes};

pub(in crate::source) use self::types::stored_types;

pub(in crate::source) fn report(plan: &ReportPlan, rows: u64, guard: Option<&SizeGuard>) -> String {
    let types = plan.stored_types();
    let ordered =
        |column: &Column, expression: &Expression| ordered(expression, column.column_type, types);
    let report = unordered(plan) + &order_and_limit(plan, rows, ordered);
    match guard {
        None => report,
        Some(guard) => guard.wrap_postgres(&report, plan.columns()),
    }
}

pub(in crate::source) fn estimate(plan: &ReportPlan) -> String {
    format!("EXPLAIN (FORMAT JSON)\n{}", unordered(plan))
}

pub(in crate::source) fn newest(plan: &ReportPlan) -> Option<String> {
    let dataset = plan.dataset();
    let newest = newest_micros(dataset.updated.as_ref()?);
    let condition = organisation(plan).unwrap_or_else(|| "TRUE".to_owned());
    Some(format!(
        "SELECT {newest}\nFROM {}\nWHERE {condition}",
        from_clause(&dataset.relation)
    ))
}

/// The report without its order and limit.
fn unordered(plan: &ReportPlan) -> String {
    let (dataset, types) = (plan.dataset(), plan.stored_types());
    let columns = || plan.columns().iter().zip(plan.expressions());
    let selected: Vec<String> = columns()
        .map(|(column, expression)| match column.kind {
            ColumnKind::Dimension => {
                dimension(expression, column.column_type, dataset.grain, types)
            }
            ColumnKind::Measure => {
                let value = value(expression, column.column_type, types);
                sent(value, column.column_type)
            }
        })
        .collect();
    let mut conditions: Vec<String> = organisation(plan).into_iter().collect();
    conditions.push(within(&dataset.time, plan.query().time_range));
    let predicates = plan.predicates().iter();
    conditions.extend(predicates.map(|predicate| condition(predicate, types)));
    let mut sql = format!(
        "SELECT {}\nFROM {}\nWHERE {}",
        selected.join(", "),
        from_clause(&dataset.relation),
        conditions.join("\n  AND ")
    );
    let groups: Vec<String> = columns()
        .filter(|(column, _)| column.kind == ColumnKind::Dimension)
        .map(|(column, expression)| grouped(expression, column.column_type, types))
        .collect();
    if dataset.grain == Grain::Aggregate && !groups.is_empty() {
        sql.push_str("\nGROUP BY ");
        sql.push_str(&groups.join(", "));
    }
    sql
}

/// A dimension of the result. What is grouped by is selected in the very form in which it is grouped.
fn dimension(
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
fn sent(selected: String, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Json => format!("{selected}::text"),
        _ => selected,
    }
}

/// The form in which values of a type are grouped: text by its bytes, and documents, of which no two
/// are equal to PostgreSQL, as their text. A cast of a collation's text would do away with the
/// collation, so documents go without.
fn grouped(expression: &Expression, column_type: ColumnType, types: &StoredTypes) -> String {
    match column_type {
        ColumnType::Json => value(expression, ColumnType::String, types),
        column_type => ordered(expression, column_type, types),
    }
}

/// The form in which values of a type are ordered.
fn ordered(expression: &Expression, column_type: ColumnType, types: &StoredTypes) -> String {
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
fn value(expression: &Expression, column_type: ColumnType, types: &StoredTypes) -> String {
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

/// Whether a column of integers is sent as numeric, for what it is made of may have a fraction.
pub(in crate::source) fn sends_numeric(plan: &ReportPlan) -> Vec<bool> {
    let columns = plan.columns().iter().zip(plan.expressions());
    columns
        .map(|(column, expression)| {
            let stored = plan.stored_types().of(sql(expression));
            column.column_type == ColumnType::Integer
                && stored.is_some_and(StoredType::may_have_fraction)
        })
        .collect()
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

fn sql(expression: &Expression) -> &str {
    expression.for_dialect(Dialect::Postgres)
}

fn newest_micros(updated: &Expression) -> String {
    format!(
        "(extract(epoch FROM (max({}))::timestamptz) * 1000000)::int8",
        sql(updated)
    )
}

/// Shows that the source takes every form in which a report uses a setting.
pub(in crate::source) fn probe(dataset: &Dataset, used: &Use<'_>, types: &StoredTypes) -> String {
    const EPOCH: TimeRange = TimeRange {
        from: DateTime::UNIX_EPOCH,
        to: DateTime::UNIX_EPOCH,
    };
    let mut selected = "1".to_owned();
    let mut rest = String::new();
    match used {
        Use::Relation => {}
        Use::Tenant(column) => {
            // NULL, because no text is of every type that the column may have.
            let column = quoted_name(column);
            rest = format!("\nWHERE {column} = NULL AND {column}::text = ''");
        }
        Use::Time(time) => rest = format!("\nWHERE {}", within(time, EPOCH)),
        Use::Updated(updated) => selected = newest_micros(updated),
        Use::Dimension(field) => {
            let (expression, column_type) = (&field.expression, field.column_type);
            selected = dimension(expression, column_type, dataset.grain, types);
            if dataset.grain == Grain::Aggregate {
                rest = format!("\nGROUP BY {}", grouped(expression, column_type, types));
            }
            rest.push_str(&format!(
                "\nORDER BY {}",
                ordered(expression, column_type, types)
            ));
        }
        Use::Measure(field) => {
            selected = value(&field.expression, field.column_type, types);
        }
        Use::Filter(field) => rest = format!("\nWHERE {}", every_comparison(field, types)),
    }
    format!(
        "SELECT {selected}\nFROM {}{rest}\nLIMIT 0",
        from_clause(&dataset.relation)
    )
}

/// A comparison of every kind that the field's type allows, with a literal of that type.
fn every_comparison(field: &Field, types: &StoredTypes) -> String {
    let Some(sample) = sample(field.column_type) else {
        return format!("({}) IS NULL", sql(&field.expression));
    };
    let comparisons: Vec<String> = FilterOp::for_type(field.column_type)
        .iter()
        .map(|op| comparison(&field.expression, field.column_type, *op, &[&sample], types))
        .collect();
    comparisons.join(" AND ")
}

/// Any value of a type; `None` for documents, which are compared with NULL alone.
fn sample(column_type: ColumnType) -> Option<Literal> {
    Some(match column_type {
        ColumnType::String => Literal::String(String::new()),
        ColumnType::Integer => Literal::Integer(0),
        ColumnType::Float => Literal::Float(0.0),
        ColumnType::Decimal => Literal::Decimal("0".to_owned()),
        ColumnType::Boolean => Literal::Boolean(true),
        ColumnType::Timestamp => Literal::Timestamp(DateTime::UNIX_EPOCH),
        ColumnType::Date => Literal::Date(NaiveDate::default()),
        ColumnType::Uuid => Literal::Uuid(Uuid::nil()),
        ColumnType::Json => return None,
    })
}

/// See [`index_columns`](crate::source::statement). Only ordinary and partitioned tables and materialized views have
/// indexes; the key columns of one come before those that it merely includes.
pub(in crate::source) fn index_columns(table: &str) -> String {
    let table = text(&quoted_name(table));
    format!(
        "\
SELECT (
  SELECT array_agg(coalesce(named.attname::text, '') ORDER BY key.place)
  FROM unnest(an_index.indkey::int2[]) WITH ORDINALITY AS key (number, place)
  LEFT JOIN pg_attribute AS named ON named.attrelid = a_table.oid AND named.attnum = key.number
  WHERE key.place <= an_index.indnkeyatts
)
FROM pg_class AS a_table
LEFT JOIN pg_index AS an_index
  ON an_index.indrelid = a_table.oid AND an_index.indisvalid AND an_index.indpred IS NULL
WHERE a_table.oid = to_regclass({table}) AND a_table.relkind IN ('r', 'p', 'm')"
    )
}
