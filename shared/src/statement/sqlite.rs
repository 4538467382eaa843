//! SQLite's dialect.
//!
//! SQLite types values, not columns, and its CAST makes 0 of what is no number. So nothing is cast:
//! the source checks every value it reads against the catalog's type, and where values of a type
//! may be stored in several ways, they are compared, grouped and ordered in the one form that a
//! `waybill_…` function gives them.

mod identifier;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::guard::is_variable;
use super::{
    Dialect, SizeGuard, Use, from_clause, operator, order_and_limit, quoted_name, quoted_text,
};
use crate::catalog::{Dataset, Grain};
use crate::column::{ColumnKind, ColumnType};
use crate::query::{Literal, Predicate, ReportPlan, Test, TimeRange};

pub(crate) use self::identifier::identifier;

pub(super) fn report(plan: &ReportPlan, rows: u64, guard: Option<&SizeGuard>) -> String {
    let dataset = plan.dataset();
    let columns = || plan.columns().iter().zip(plan.expressions());

    let selected: Vec<String> = columns()
        .enumerate()
        .map(|(index, (column, expression))| {
            let sql = expression.for_dialect(Dialect::Sqlite);
            match (dataset.grain, column.kind, guard) {
                (Grain::Aggregate, ColumnKind::Dimension, _) => comparable(sql, column.column_type),
                (Grain::Row, _, Some(guard)) if is_variable(column.column_type) => {
                    guard.wrap_sqlite(index, sql, sql)
                }
                _ => sql.to_owned(),
            }
        })
        .collect();
    let mut sql = format!(
        "SELECT {}\nFROM {}\nWHERE {}",
        selected.join(", "),
        from_clause(&dataset.relation),
        conditions(plan).join("\n  AND ")
    );

    let groups: Vec<&str> = columns()
        .zip(&selected)
        .filter(|((column, _), _)| column.kind == ColumnKind::Dimension)
        .map(|(_, selected)| selected.as_str())
        .collect();
    if dataset.grain == Grain::Aggregate && !groups.is_empty() {
        sql.push_str("\nGROUP BY ");
        sql.push_str(&groups.join(", "));
    }

    sql.push_str(&order_and_limit(plan, rows, |expression, column_type| {
        comparable(expression.for_dialect(Dialect::Sqlite), column_type)
    }));
    sql
}

pub(super) fn newest(plan: &ReportPlan) -> Option<String> {
    let dataset = plan.dataset();
    let updated = dataset.updated.as_ref()?.for_dialect(Dialect::Sqlite);
    let organisation = organisation(plan).unwrap_or_else(|| "TRUE".to_owned());
    Some(format!(
        "SELECT max({updated})\nFROM {}\nWHERE {organisation}",
        from_clause(&dataset.relation)
    ))
}

/// SQLite has no types to be compared amiss: only that the text is an expression can be shown.
pub(super) fn probe(dataset: &Dataset, used: &Use<'_>) -> String {
    let tenant;
    let selected = match used {
        Use::Relation => "1",
        Use::Tenant(column) => {
            tenant = quoted_name(column);
            &tenant
        }
        Use::Time(expression) | Use::Updated(expression) => expression.for_dialect(Dialect::Sqlite),
        Use::Dimension(field) | Use::Measure(field) | Use::Filter(field) => {
            field.expression.for_dialect(Dialect::Sqlite)
        }
    };
    format!(
        "SELECT {selected}\nFROM {}\nLIMIT 0",
        from_clause(&dataset.relation)
    )
}

fn conditions(plan: &ReportPlan) -> Vec<String> {
    let time = plan.dataset().time.for_dialect(Dialect::Sqlite);
    let mut conditions: Vec<String> = organisation(plan).into_iter().collect();
    conditions.push(near(plan, time));
    conditions.push(within(time, plan.query().time_range));
    conditions.extend(plan.predicates().iter().map(condition));
    conditions
}

fn organisation(plan: &ReportPlan) -> Option<String> {
    let tenant = plan.dataset().tenant.as_deref()?;
    Some(format!(
        "{} COLLATE BINARY = {}",
        quoted_name(tenant),
        quoted_text(plan.org().as_str())
    ))
}

/// A range that an index on the time column can serve and that `within` makes exact: text within a
/// day of the asked range, for a stored offset may move it as far. Numbers sort before every text, so
/// where there are any, the range begins before them. `OR` would find both as well, but SQLite then
/// remembers every row it has seen.
fn near(plan: &ReportPlan, time: &str) -> String {
    let range = plan.query().time_range;
    let first = range.from.date_naive().checked_sub_days(Days::new(1));
    let last = range.to.date_naive().checked_add_days(Days::new(2));
    let day = |day: Option<NaiveDate>, fallback: &str| {
        day.map_or_else(
            || fallback.to_owned(),
            |day| day.format("%Y-%m-%d").to_string(),
        )
    };
    let mut numbers: Vec<String> = organisation(plan).into_iter().collect();
    numbers.push(format!("({time}) < ''"));
    format!(
        "({time}) >= CASE WHEN EXISTS (SELECT 1 FROM {} WHERE {}) THEN -9e999 ELSE {} END AND ({time}) < {}",
        from_clause(&plan.dataset().relation),
        numbers.join(" AND "),
        quoted_text(&day(first, "0000")),
        quoted_text(&day(
            last.filter(|day| chrono::Datelike::year(day) < 10_000),
            ":"
        )),
    )
}

fn within(time: &str, range: TimeRange) -> String {
    let bounds = range.comparisons().map(|(op, instant)| {
        let (op, instant) = (operator(op), timestamp(instant));
        format!("waybill_timestamp({time}) {op} {instant}")
    });
    bounds.join(" AND ")
}

fn condition(predicate: &Predicate) -> String {
    let sql = predicate.expression.for_dialect(Dialect::Sqlite);
    let operand = comparable(sql, predicate.column_type);
    match &predicate.test {
        Test::IsNull => format!("({sql}) IS NULL"),
        Test::IsNotNull => format!("({sql}) IS NOT NULL"),
        Test::Compare(op, value) => format!("{operand} {} {}", operator(*op), literal(value)),
        Test::In(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("{operand} IN ({})", values.join(", "))
        }
        Test::Never => "FALSE".to_owned(),
    }
}

/// The expression in the form in which values of its type compare as the type says.
fn comparable(sql: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::String | ColumnType::Json => format!("({sql}) COLLATE BINARY"),
        ColumnType::Integer | ColumnType::Float | ColumnType::Date if may_be_number(sql) => {
            format!("ifnull({sql}, NULL)")
        }
        ColumnType::Integer | ColumnType::Float | ColumnType::Date => format!("({sql})"),
        ColumnType::Boolean => format!("waybill_boolean({sql})"),
        ColumnType::Decimal => format!("waybill_decimal({sql}) COLLATE waybill_decimal"),
        ColumnType::Timestamp => format!("waybill_timestamp({sql})"),
        ColumnType::Uuid => format!("waybill_uuid({sql})"),
    }
}

/// Whether an expression may be a bare number, which GROUP BY and ORDER BY take for the place of a column, in
/// parentheses and with a sign, too.
fn may_be_number(sql: &str) -> bool {
    let first = sql.trim_start_matches(|c: char| c.is_whitespace() || "(+-".contains(c));
    first.starts_with(|c: char| c.is_ascii_digit() || c == '/') || sql.contains("--")
}

fn literal(value: &Literal) -> String {
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
