//! PostgreSQL's dialect.
//!
//! Every column is cast to its catalog type, so that a source decodes nine types and no more. What is
//! compared is left as it is and the literal is typed instead: only then an index of the operand
//! serves, and what has no such comparison is a fault that [`probe`] finds. Text is grouped and
//! ordered by its bytes, whatever the collation of the database.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Dialect, Use, from_clause, operator, order_and_limit, quoted_name, quoted_text};
use crate::catalog::{Dataset, Expression, Field, Grain};
use crate::column::{ColumnKind, ColumnType};
use crate::query::{FilterOp, Literal, Predicate, ReportPlan, Test, TimeRange};

pub(super) fn report(plan: &ReportPlan, rows: u64) -> String {
    unordered(plan) + &order_and_limit(plan, rows, ordered)
}

pub(super) fn estimate(plan: &ReportPlan) -> String {
    format!("EXPLAIN (FORMAT JSON)\n{}", unordered(plan))
}

pub(super) fn newest(plan: &ReportPlan) -> Option<String> {
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
    let dataset = plan.dataset();
    let columns = || plan.columns().iter().zip(plan.expressions());
    let selected: Vec<String> = columns()
        .map(|(column, expression)| match column.kind {
            ColumnKind::Dimension => dimension(expression, column.column_type, dataset.grain),
            ColumnKind::Measure => cast(expression, column.column_type),
        })
        .collect();
    let mut conditions: Vec<String> = organisation(plan).into_iter().collect();
    conditions.push(within(&dataset.time, plan.query().time_range));
    conditions.extend(plan.predicates().iter().map(condition));
    let mut sql = format!(
        "SELECT {}\nFROM {}\nWHERE {}",
        selected.join(", "),
        from_clause(&dataset.relation),
        conditions.join("\n  AND ")
    );
    let groups: Vec<String> = columns()
        .filter(|(column, _)| column.kind == ColumnKind::Dimension)
        .map(|(column, expression)| grouped(expression, column.column_type))
        .collect();
    if dataset.grain == Grain::Aggregate && !groups.is_empty() {
        sql.push_str("\nGROUP BY ");
        sql.push_str(&groups.join(", "));
    }
    sql
}

/// A dimension of the result. What is grouped by is selected in the very form in which it is grouped.
fn dimension(expression: &Expression, column_type: ColumnType, grain: Grain) -> String {
    match (grain, column_type) {
        (Grain::Row, _) => cast(expression, column_type),
        (Grain::Aggregate, ColumnType::Json) => {
            format!("({})::json", grouped(expression, column_type))
        }
        (Grain::Aggregate, _) => grouped(expression, column_type),
    }
}

/// The form in which values of a type are grouped: text by its bytes, and documents, of which no two
/// are equal to PostgreSQL, as their text. A cast of a collation's text would do away with the
/// collation, so documents go without.
fn grouped(expression: &Expression, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Json => cast(expression, ColumnType::String),
        column_type => ordered(expression, column_type),
    }
}

/// The form in which values of a type are ordered.
fn ordered(expression: &Expression, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::String | ColumnType::Json => {
            format!("{} COLLATE \"C\"", cast(expression, ColumnType::String))
        }
        column_type => cast(expression, column_type),
    }
}

fn cast(expression: &Expression, column_type: ColumnType) -> String {
    format!("({})::{}", sql(expression), type_name(column_type))
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

fn organisation(plan: &ReportPlan) -> Option<String> {
    let tenant = plan.dataset().tenant.as_deref()?;
    Some(is_organisation(tenant, plan.org().as_str()))
}

/// The first condition takes the column's own type, whatever it is, and so its index. Where that
/// reads two texts as one value, as an integer column does with `7` and `007`, the second tells them
/// apart. For a text column they are the same condition, and the planner keeps one.
fn is_organisation(tenant: &str, organisation: &str) -> String {
    let (column, organisation) = (quoted_name(tenant), text(organisation));
    format!("{column} = {organisation} AND {column}::text = {organisation}")
}

fn within(time: &Expression, range: TimeRange) -> String {
    let time = sql(time);
    let bounds = range
        .comparisons()
        .map(|(op, instant)| format!("({time}) {} {}", operator(op), timestamp(instant)));
    bounds.join(" AND ")
}

fn newest_micros(updated: &Expression) -> String {
    format!(
        "(extract(epoch FROM (max({}))::timestamptz) * 1000000)::int8",
        sql(updated)
    )
}

fn condition(predicate: &Predicate) -> String {
    let sql = sql(&predicate.expression);
    match &predicate.test {
        Test::IsNull => format!("({sql}) IS NULL"),
        Test::IsNotNull => format!("({sql}) IS NOT NULL"),
        Test::Compare(op, value) => comparison(sql, *op, value),
        Test::In(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("({sql}) IN ({})", values.join(", "))
        }
        Test::Never => "FALSE".to_owned(),
    }
}

/// Equality of text means the same in every collation but an order does not.
fn comparison(sql: &str, op: FilterOp, value: &Literal) -> String {
    let orders = matches!(
        op,
        FilterOp::Gt | FilterOp::Gte | FilterOp::Lt | FilterOp::Lte
    );
    let collation = match value {
        Literal::String(_) if orders => " COLLATE \"C\"",
        _ => "",
    };
    format!("({sql}){collation} {} {}", operator(op), literal(value))
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::String(value) => format!("{}::text", text(value)),
        Literal::Integer(number) => format!("'{number}'::int8"),
        Literal::Float(number) => format!("'{number:e}'::float8"),
        Literal::Decimal(number) => format!("{}::numeric", text(number)),
        Literal::Boolean(truth) => truth.to_string(),
        Literal::Timestamp(instant) => timestamp(*instant),
        Literal::Date(day) => format!("'{}'::date", day.format("%Y-%m-%d")),
        Literal::Uuid(uuid) => format!("'{}'::uuid", uuid.hyphenated()),
    }
}

fn timestamp(instant: DateTime<Utc>) -> String {
    let instant = instant.format("%Y-%m-%d %H:%M:%S%.6f+00");
    format!("'{instant}'::timestamptz")
}

/// A quoted text. With a backslash in it, it is written so that it means the same whether or not
/// `standard_conforming_strings` is on.
fn text(text: &str) -> String {
    if text.contains('\\') {
        format!(" E{}", quoted_text(&text.replace('\\', "\\\\")))
    } else {
        quoted_text(text)
    }
}

/// Shows that the source takes every form in which a report uses a setting.
pub(super) fn probe(dataset: &Dataset, used: &Use<'_>) -> String {
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
            selected = dimension(expression, column_type, dataset.grain);
            if dataset.grain == Grain::Aggregate {
                rest = format!("\nGROUP BY {}", grouped(expression, column_type));
            }
            rest.push_str(&format!("\nORDER BY {}", ordered(expression, column_type)));
        }
        Use::Measure(field) => selected = cast(&field.expression, field.column_type),
        Use::Filter(field) => rest = format!("\nWHERE {}", every_comparison(field)),
    }
    format!(
        "SELECT {selected}\nFROM {}{rest}\nLIMIT 0",
        from_clause(&dataset.relation)
    )
}

/// A comparison of every kind that the field's type allows, with a literal of that type.
fn every_comparison(field: &Field) -> String {
    let sql = sql(&field.expression);
    let Some(sample) = sample(field.column_type) else {
        return format!("({sql}) IS NULL");
    };
    let comparisons: Vec<String> = FilterOp::for_type(field.column_type)
        .iter()
        .map(|op| comparison(sql, *op, &sample))
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

/// See [`super::index_columns`]. Only ordinary and partitioned tables and materialized views have
/// indexes; the key columns of one come before those that it merely includes.
pub(super) fn index_columns(table: &str) -> String {
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
