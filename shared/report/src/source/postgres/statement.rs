//! PostgreSQL's dialect.
//!
//! Every column is cast to its catalog type, so that a source decodes nine types and no more. What is
//! compared is left as it is and the literal is typed instead: only then an index of the operand
//! serves, and what has no such comparison is a fault that `probe` finds. Text is compared, grouped and
//! ordered by its bytes, whatever the collation of the database.

mod filters;
mod types;
mod values;

use chrono::{DateTime, NaiveDate};
use uuid::Uuid;

use self::filters::{comparison, condition, organisation, text, within};
use self::values::{dimension, grouped, ordered, sent, sql, value};
use super::guard::SizeGuard;
use crate::catalog::{Dataset, Expression, Field, Grain, Relation};
use crate::column::{Column, ColumnKind, ColumnType};
use crate::query::{FilterOp, Literal, ReportPlan, TimeRange};
use crate::source::statement::{Dialect, Use, from_clause, limited, order_and_limit, quoted_name};
use crate::source::stored_types::{StoredType, StoredTypes};

pub(super) use self::types::stored_types;

/// The SQL of PostgreSQL 12 or later, or of a server that speaks like it, in a session whose time zone is UTC.
pub(crate) struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn text<'e>(&self, expression: &'e Expression) -> &'e str {
        sql(expression)
    }

    fn probe(&self, dataset: &Dataset, used: &Use<'_>, types: &StoredTypes) -> String {
        probe(dataset, used, types)
    }

    fn has_typed_columns(&self) -> bool {
        true
    }
}

/// What the server runs for one report, in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    report: String,
    newest: Option<String>,
    estimate: String,
    table: Option<String>,
    most_rows: u64,
    sends_numeric: Vec<bool>,
}

impl Statement {
    /// Writes the SQL of a plan. At most `most_rows` rows are read, and fewer where the plan's own
    /// limit is lower.
    #[must_use]
    pub fn new(plan: &ReportPlan, most_rows: u64) -> Self {
        Self::written(plan, most_rows, None)
    }

    /// The same, whose [`report`](Self::report) fails where a cell or a row is too large; see
    /// [`SizeGuard`].
    #[must_use]
    pub fn guarded(plan: &ReportPlan, most_rows: u64, guard: &SizeGuard) -> Self {
        Self::written(plan, most_rows, Some(guard))
    }

    fn written(plan: &ReportPlan, most_rows: u64, guard: Option<&SizeGuard>) -> Self {
        let most_rows = limited(plan, most_rows);
        Self {
            report: report(plan, most_rows, guard),
            newest: newest(plan),
            estimate: estimate(plan),
            table: only_table(plan),
            most_rows,
            sends_numeric: sends_numeric(plan),
        }
    }

    /// One `SELECT` with the plan's columns in their order.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }

    /// One `SELECT` of one value, the newest source row's instant in microseconds since 1970. `None` when the
    /// dataset names no update column.
    pub(super) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// An `EXPLAIN` of the report without its order and limit, whose one value is the plan as JSON.
    #[must_use]
    pub fn estimate(&self) -> &str {
        &self.estimate
    }

    /// The only relation that is read, as it stands in the SQL; `None` where there may be others.
    pub(super) fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The most rows that [`report`](Self::report) gives.
    pub(super) fn most_rows(&self) -> u64 {
        self.most_rows
    }

    /// Whether the column of this number, one of integers, comes as a `numeric`, which may turn out to have a
    /// fraction.
    pub(super) fn sends_numeric(&self, column: usize) -> bool {
        self.sends_numeric.get(column).copied().unwrap_or_default()
    }
}

fn report(plan: &ReportPlan, rows: u64, guard: Option<&SizeGuard>) -> String {
    let types = plan.stored_types();
    let ordered =
        |column: &Column, expression: &Expression| ordered(expression, column.column_type, types);
    let report = unordered(plan) + &order_and_limit(plan, rows, ordered);
    match guard {
        None => report,
        Some(guard) => guard.wrap(&report, plan.columns()),
    }
}

fn estimate(plan: &ReportPlan) -> String {
    format!("EXPLAIN (FORMAT JSON)\n{}", unordered(plan))
}

fn newest(plan: &ReportPlan) -> Option<String> {
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

/// The table of a dataset, quoted, if nothing in its SQL can name another: no SELECT within.
fn only_table(plan: &ReportPlan) -> Option<String> {
    let dataset = plan.dataset();
    let Relation::Table(table) = &dataset.relation else {
        return None;
    };
    let predicates = plan.predicates().iter();
    let mut expressions = (plan.expressions().iter())
        .chain(predicates.map(|predicate| &predicate.expression))
        .chain([&dataset.time])
        .chain(&dataset.updated);
    let selects = expressions.any(|expression| {
        let text = sql(expression).to_ascii_lowercase();
        text.contains("select") || text.contains("table")
    });
    (!selects).then(|| quoted_name(table))
}

/// Whether a column of integers is sent as numeric, for what it is made of may have a fraction.
fn sends_numeric(plan: &ReportPlan) -> Vec<bool> {
    let columns = plan.columns().iter().zip(plan.expressions());
    columns
        .map(|(column, expression)| {
            let stored = plan.stored_types().of(sql(expression));
            column.column_type == ColumnType::Integer
                && stored.is_some_and(StoredType::may_have_fraction)
        })
        .collect()
}

fn newest_micros(updated: &Expression) -> String {
    format!(
        "(extract(epoch FROM (max({}))::timestamptz) * 1000000)::int8",
        sql(updated)
    )
}

/// Shows that the source takes every form in which a report uses a setting.
fn probe(dataset: &Dataset, used: &Use<'_>, types: &StoredTypes) -> String {
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

/// A `SELECT` of an array of column names for each index over all rows of a table, one NULL when it has no
/// index, nothing when it is no table. Only ordinary and partitioned tables and materialized views have
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
