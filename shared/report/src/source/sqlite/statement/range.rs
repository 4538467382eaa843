//! Whose rows and of which time.

use chrono::{Days, NaiveDate};

use super::values::{form_argument, text};
use crate::catalog::{Expression, InstantForm};
use crate::query::{ReportPlan, TimeRange};
use crate::source::statement::{from_clause, operator, quoted_name, quoted_text};

/// What the time of a row is called in errors.
pub(in crate::source::sqlite) const TIME: &str = "time";

/// The condition on the organisation, where rows are of one.
pub(super) fn organisation(plan: &ReportPlan) -> Option<String> {
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
pub(super) fn near(plan: &ReportPlan) -> String {
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
pub(super) fn days_about(range: TimeRange) -> (String, String) {
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

pub(super) fn within(time: &Expression, range: TimeRange) -> String {
    let sql = text(time);
    let form = form_argument(time.form);
    let bounds = range.comparisons().map(|(op, instant)| {
        let (op, micros) = (operator(op), instant.timestamp_micros());
        format!("waybill_micros({sql}, '{TIME}', {form}) {op} {micros}")
    });
    bounds.join(" AND ")
}

/// The same, where text that is so far inside of the range that no offset moves it out need not be read.
pub(super) fn within_or_far_inside(time: &Expression, range: TimeRange) -> String {
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
