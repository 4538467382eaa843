//! SQLite's dialect.
//!
//! SQLite types values, not columns, and its CAST makes 0 of what is no number. So nothing is cast:
//! the source checks every value it reads against the catalog's type, and where values of a type
//! may be stored in several ways, they are compared, grouped and ordered in the one form that a
//! `waybill_…` function gives them.
//!
//! A function may refuse a value, and SQLite evaluates conditions in an order of its own. So the functions stand
//! in a CASE, behind the condition on the organisation: what another one has stored is nobody's error.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::catalog::{Dataset, Expression, Grain, InstantForm, Relation};
use crate::column::{Column, ColumnKind, ColumnType};
use crate::query::{Literal, Predicate, ReportPlan, Test, TimeRange};
use crate::size::SizeLimits;
use crate::source::statement::{
    Dialect, Use, from_clause, limited, operator, order_and_limit, quoted_name, quoted_text,
};
use crate::source::stored_types::StoredTypes;

const TIME: &str = TimeCheck::COLUMN;

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

impl TimeCheck {
    /// What the time of a row is called in errors.
    pub(super) const COLUMN: &'static str = "time";
}

fn text(expression: &Expression) -> &str {
    expression.sqlite.as_deref().unwrap_or(&expression.sql)
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

/// A stored column of a report, which then is not even read where it is too large. What is computed has to be
/// read to know its length, which the reader sees as well.
fn within_limit(index: usize, sql: &str, limits: SizeLimits) -> String {
    if !is_column(sql) {
        return sql.to_owned();
    }
    let length = format!("octet_length({sql})");
    format!(
        "CASE WHEN {length} > {} THEN waybill_oversize({index}, {length}) ELSE {sql} END",
        limits.cell
    )
}

/// Whether an expression is the name of a column and nothing else.
fn is_column(expression: &str) -> bool {
    let expression = expression.trim();
    let name = expression
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match name {
        Some(name) => !name.is_empty() && !name.contains('"'),
        None => {
            expression.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && expression
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        }
    }
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

fn organisation(plan: &ReportPlan) -> Option<String> {
    let tenant = plan.dataset().tenant.as_deref()?;
    Some(format!(
        "{} COLLATE BINARY = {}",
        quoted_name(tenant),
        quoted_text(plan.org().as_str())
    ))
}

/// A range that an index on the time column can serve and that `within` makes exact. Where no form is
/// given, numbers sort before every text, so where there are any, the range begins before them. `OR` would
/// find both as well, but SQLite then remembers every row it has seen.
fn near(plan: &ReportPlan) -> String {
    /// 1970-01-01 as a Julian day.
    const EPOCH: i64 = 2_440_588;
    let (time, range) = (&plan.dataset().time, plan.query().time_range);
    let sql = text(time);
    let between = |first: &str, last: &str| format!("({sql}) >= {first} AND ({sql}) < {last}");
    // What is rounded to a microsecond may lie beyond the second.
    let (first, last) = (range.from.timestamp() - 1, range.to.timestamp() + 2);
    let (first_day, last_day) = days_about(range);
    let (first_day, last_day) = (quoted_text(&first_day), quoted_text(&last_day));
    match time.form {
        None => {
            let mut numbers: Vec<String> = organisation(plan).into_iter().collect();
            numbers.push(format!("({sql}) < ''"));
            let relation = from_clause(&plan.dataset().relation);
            let numbers = numbers.join(" AND ");
            let first = format!(
                "CASE WHEN EXISTS (SELECT 1 FROM {relation} WHERE {numbers}) THEN -9e999 ELSE {first_day} END"
            );
            between(&first, &last_day)
        }
        Some(InstantForm::Rfc3339) => between(&first_day, &last_day),
        Some(InstantForm::EpochS) => between(&first.to_string(), &last.to_string()),
        Some(InstantForm::EpochMs) => {
            between(&(first * 1_000).to_string(), &(last * 1_000).to_string())
        }
        Some(InstantForm::Julian) => {
            let day = |seconds: i64| (EPOCH + seconds.div_euclid(86_400)).to_string();
            between(&day(first - 86_400), &day(last + 86_400))
        }
    }
}

/// Texts between which every instant of the range is written: within a day of it, for a stored offset may move
/// it as far.
fn days_about(range: TimeRange) -> (String, String) {
    let first = range.from.date_naive().checked_sub_days(Days::new(1));
    let last = range.to.date_naive().checked_add_days(Days::new(2));
    let day = |day: Option<NaiveDate>, fallback: &str| {
        day.filter(|day| (1..=9999).contains(&chrono::Datelike::year(day)))
            .map_or_else(
                || fallback.to_owned(),
                |day| day.format("%Y-%m-%d").to_string(),
            )
    };
    (day(first, "0000"), day(last, ":"))
}

fn within(time: &Expression, range: TimeRange) -> String {
    let sql = text(time);
    let form = form_argument(time.form);
    let bounds = range.comparisons().map(|(op, instant)| {
        let (op, micros) = (operator(op), instant.timestamp_micros());
        format!("waybill_micros({sql}, '{TIME}', {form}) {op} {micros}")
    });
    bounds.join(" AND ")
}

/// The same, where text that is so far inside of the range that no offset moves it out need not be read.
fn within_or_far_inside(time: &Expression, range: TimeRange) -> String {
    let within = within(time, range);
    if !matches!(time.form, None | Some(InstantForm::Rfc3339)) {
        return within;
    }
    let time = text(time);
    let first = range.from.date_naive().checked_add_days(Days::new(2));
    let last = range.to.date_naive().checked_sub_days(Days::new(1));
    let (Some(first), Some(last)) = (first, last) else {
        return within;
    };
    let years = 1..10_000;
    let is_written = |day: NaiveDate| years.contains(&chrono::Datelike::year(&day));
    if first >= last || !is_written(first) || !is_written(last) {
        return within;
    }
    let day = |day: NaiveDate| quoted_text(&day.format("%Y-%m-%d").to_string());
    format!(
        "(({time}) >= {} AND ({time}) < {} OR {within})",
        day(first),
        day(last)
    )
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

fn comparable(expression: &Expression, column: &Column, types: &StoredTypes) -> String {
    operand(expression, &column.name, column.column_type, types)
}

/// An expression in the form in which values of its type compare as the type says. Of strings that is their
/// text, for 7 and '7' are shown alike; a column of texts has nothing else. `name` is for errors.
fn operand(
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

fn form_argument(form: Option<InstantForm>) -> String {
    form.map_or_else(|| "NULL".to_owned(), |form| quoted_text(form.name()))
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

/// A `SELECT` of these expressions over a relation, without a row.
pub(super) fn select_nothing(relation: &Relation, expressions: &[&str]) -> String {
    let selected: Vec<String> = expressions.iter().map(|sql| format!("({sql})")).collect();
    let relation = from_clause(relation);
    format!("SELECT {}\nFROM {relation}\nLIMIT 0", selected.join(", "))
}

#[cfg(test)]
mod tests;
