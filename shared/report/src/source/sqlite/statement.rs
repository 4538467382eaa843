//! SQLite's dialect.
//!
//! SQLite types values, not columns, and its CAST makes 0 of what is no number. So nothing is cast:
//! the source checks every value it reads against the catalog's type, and where values of a type
//! may be stored in several ways, they are compared, grouped and ordered in the one form that a
//! `waybill_…` function gives them.
//!
//! A function may refuse a value, and SQLite evaluates conditions in an order of its own. So the functions stand
//! in a CASE, behind the condition on the organisation: what another one has stored is nobody's error.

mod limits;
mod range;
#[cfg(test)]
mod tests;
mod values;

use self::limits::within_limit;
use self::range::{days_about, near, organisation, within, within_or_far_inside};
use self::values::{comparable, form_argument, literal, operand, text};
use crate::catalog::{Dataset, Expression, Grain, InstantForm, Relation};
use crate::column::{ColumnKind, ColumnType};
use crate::query::{Predicate, ReportPlan, Test};
use crate::size::SizeLimits;
use crate::source::statement::{
    Dialect, Use, from_clause, limited, operator, order_and_limit, quoted_name,
};
use crate::source::stored_types::StoredTypes;

pub(super) use self::range::TIME;

/// Which rows a report looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Those about the range, which an index on the time column serves.
    Near,
    /// All of the organisation's.
    Everywhere,
    /// As near, for a count: what is surely inside of the range is not read.
    Count,
}

/// The SQL of SQLite 3.30 or later, with the functions that [`functions`](super::functions) registers.
pub(super) struct SqliteDialect;

impl Dialect for SqliteDialect {
    fn text<'e>(&self, expression: &'e Expression) -> &'e str {
        text(expression)
    }

    fn probe(&self, dataset: &Dataset, used: &Use<'_>, _types: &StoredTypes) -> String {
        probe(dataset, used)
    }

    /// It types values, not columns.
    fn has_typed_columns(&self) -> bool {
        false
    }
}

/// What SQLite runs for one report, in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    report: String,
    newest: Option<String>,
    estimate: Option<String>,
    most_rows: u64,
    time_check: TimeCheck,
}

impl Statement {
    /// Writes the SQL of a plan. At most `most_rows` rows are read, and fewer where the plan's own
    /// limit is lower. With limits its [`report`](Self::report) fails where a stored cell is too large.
    #[must_use]
    pub fn new(plan: &ReportPlan, most_rows: u64, limits: Option<SizeLimits>) -> Self {
        let most_rows = limited(plan, most_rows);
        Self {
            report: report(plan, most_rows, limits, Look::Near),
            newest: newest(plan),
            estimate: estimate(plan),
            most_rows,
            time_check: time_check(plan, report(plan, most_rows, limits, Look::Everywhere)),
        }
    }

    /// One `SELECT` with the plan's columns in their order.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }

    /// One `SELECT` of one value, the newest source row's instant as it is stored. `None` when the dataset
    /// names no update column.
    pub(super) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// A `SELECT` with a row for each of the report's without its limit; `None` for a report of one row.
    #[must_use]
    pub fn estimate(&self) -> Option<&str> {
        self.estimate.as_deref()
    }

    /// The most rows that [`report`](Self::report) gives.
    pub(super) fn most_rows(&self) -> u64 {
        self.most_rows
    }

    /// What to look at before the report.
    pub(super) fn time_check(&self) -> &TimeCheck {
        &self.time_check
    }
}

fn report(plan: &ReportPlan, rows: u64, limits: Option<SizeLimits>, look: Look) -> String {
    let (dataset, types) = (plan.dataset(), plan.stored_types());
    let columns = || plan.columns().iter().zip(plan.expressions());

    let selected: Vec<String> = columns()
        .enumerate()
        .map(|(index, (column, expression))| {
            let sql = text(expression);
            match (dataset.grain, column.kind, limits) {
                (Grain::Aggregate, ColumnKind::Dimension, _) => {
                    comparable(expression, column, types)
                }
                (Grain::Row, _, Some(limits)) if column.column_type.is_variable() => {
                    within_limit(index, sql, limits)
                }
                // The reader knows no forms.
                _ if expression.form.is_some() => comparable(expression, column, types),
                _ => sql.to_owned(),
            }
        })
        .collect();
    let mut sql = format!(
        "SELECT {}\nFROM {}\nWHERE {}",
        selected.join(", "),
        from_clause(&dataset.relation),
        conditions(plan, look).join("\n  AND ")
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

    sql.push_str(&order_and_limit(plan, rows, |column, expression| {
        comparable(expression, column, types)
    }));
    sql
}

/// How a SQLite source makes sure that no row is left out of a report because its time is no instant. Such values
/// sort anywhere, so no range of an index finds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeCheck {
    /// How times are written, where the catalog says so.
    pub(super) form: Option<InstantForm>,
    /// Whether rows are of organisations.
    pub(super) has_organisation: bool,
    /// A `SELECT` of one value, the first time of the organisation that is `?1` or comes after it.
    pub(super) seek: String,
    /// A `SELECT` of the `rowid` of one row of the organisation whose time is no instant.
    pub(super) stray_row: String,
    /// The report itself looks at every text that is not before the first and before the second of these.
    pub(super) read_by_report: (String, String),
    /// The report for when no index serves `seek`: it looks at every row of the organisation.
    pub(super) whole_report: String,
}

/// See [`TimeCheck`].
fn time_check(plan: &ReportPlan, whole_report: String) -> TimeCheck {
    let time = text(&plan.dataset().time);
    let form = plan.dataset().time.form;
    let relation = from_clause(&plan.dataset().relation);
    let organisation = organisation(plan);
    let mut found: Vec<String> = organisation.clone().into_iter().collect();
    found.push(format!("({time}) >= ?1"));
    let mut stray: Vec<String> = organisation.clone().into_iter().collect();
    let form_name = form_argument(form);
    stray.push(format!(
        "NOT waybill_is_instant({time}, '{TIME}', {form_name})"
    ));
    TimeCheck {
        form,
        has_organisation: organisation.is_some(),
        seek: format!(
            "SELECT {time}\nFROM {relation}\nWHERE {}\nORDER BY ({time})\nLIMIT 1",
            found.join(" AND ")
        ),
        stray_row: format!(
            "SELECT rowid\nFROM {relation}\nWHERE {}\nLIMIT 1",
            in_turn(&stray)
        ),
        read_by_report: days_about(plan.query().time_range),
        whole_report,
    }
}

/// A row for each row of the report, with nothing in it. `None` for a report of one row.
fn estimate(plan: &ReportPlan) -> Option<String> {
    let dataset = plan.dataset();
    let groups = groups(plan);
    if dataset.grain == Grain::Aggregate && groups.is_empty() {
        return None;
    }
    let mut sql = format!(
        "SELECT 1\nFROM {}\nWHERE {}",
        from_clause(&dataset.relation),
        conditions(plan, Look::Count).join("\n  AND ")
    );
    if dataset.grain == Grain::Aggregate {
        sql.push_str("\nGROUP BY ");
        sql.push_str(&groups.join(", "));
    }
    Some(sql)
}

/// What the report is grouped by.
fn groups(plan: &ReportPlan) -> Vec<String> {
    let columns = plan.columns().iter().zip(plan.expressions());
    columns
        .filter(|(column, _)| column.kind == ColumnKind::Dimension)
        .map(|(column, expression)| comparable(expression, column, plan.stored_types()))
        .collect()
}

fn newest(plan: &ReportPlan) -> Option<String> {
    let dataset = plan.dataset();
    let updated = dataset.updated.as_ref()?;
    let sql = text(updated);
    let newest = match updated.form {
        None => format!("max({sql})"),
        Some(form) => format!(
            "waybill_timestamp(max({sql}), 'updated', {})",
            form_argument(Some(form))
        ),
    };
    let organisation = organisation(plan).unwrap_or_else(|| "TRUE".to_owned());
    Some(format!(
        "SELECT {newest}\nFROM {}\nWHERE {organisation}",
        from_clause(&dataset.relation)
    ))
}

/// SQLite has no types to be compared amiss: only that the text is an expression can be shown.
fn probe(dataset: &Dataset, used: &Use<'_>) -> String {
    let tenant;
    let selected = match used {
        Use::Relation => "1",
        Use::Tenant(column) => {
            tenant = quoted_name(column);
            &tenant
        }
        Use::Time(expression) | Use::Updated(expression) => text(expression),
        Use::Dimension(field) | Use::Measure(field) | Use::Filter(field) => text(&field.expression),
    };
    format!(
        "SELECT {selected}\nFROM {}\nLIMIT 0",
        from_clause(&dataset.relation)
    )
}

fn conditions(plan: &ReportPlan, look: Look) -> Vec<String> {
    let types = plan.stored_types();
    let mut conditions: Vec<String> = organisation(plan).into_iter().collect();
    let mut checked = conditions.clone();
    if look != Look::Everywhere {
        conditions.push(near(plan));
    }
    let (time, range) = (&plan.dataset().time, plan.query().time_range);
    checked.push(match look {
        Look::Count => within_or_far_inside(time, range),
        Look::Near | Look::Everywhere => within(time, range),
    });
    let named = plan.predicates().iter().zip(&plan.query().filters);
    for (predicate, filter) in named {
        let condition = condition(predicate, &filter.field, types);
        match is_checked(predicate, types) {
            true => checked.push(condition),
            false => conditions.push(condition),
        }
    }
    conditions.push(in_turn(&checked));
    conditions
}

/// Conditions of which each is looked at only if those before it hold.
fn in_turn(conditions: &[String]) -> String {
    let conditions: Vec<String> = conditions
        .iter()
        .map(|condition| format!("WHEN ({condition}) IS NOT TRUE THEN FALSE"))
        .collect();
    format!("CASE {} ELSE TRUE END", conditions.join(" "))
}

/// Whether a condition has a function look at the value.
fn is_checked(predicate: &Predicate, types: &StoredTypes) -> bool {
    let sql = text(&predicate.expression);
    match predicate.test {
        Test::IsNull | Test::IsNotNull | Test::Never => false,
        Test::Compare(..) | Test::In(_) => match predicate.column_type {
            ColumnType::Integer | ColumnType::Float | ColumnType::Date => false,
            ColumnType::String | ColumnType::Json => types.name_of(sql) != "TEXT",
            ColumnType::Decimal
            | ColumnType::Boolean
            | ColumnType::Timestamp
            | ColumnType::Uuid => true,
        },
    }
}

fn condition(predicate: &Predicate, field: &str, types: &StoredTypes) -> String {
    let sql = text(&predicate.expression);
    let column_type = predicate.column_type;
    let operand = operand(&predicate.expression, field, column_type, types);
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

/// A `SELECT` of these expressions over a relation, without a row.
pub(super) fn select_nothing(relation: &Relation, expressions: &[&str]) -> String {
    let selected: Vec<String> = expressions.iter().map(|sql| format!("({sql})")).collect();
    let relation = from_clause(relation);
    format!("SELECT {}\nFROM {relation}\nLIMIT 0", selected.join(", "))
}
