//! The answer to a query, worked out row by row.
//!
//! Knows what the contract says of filters, groups, order and limit, and no SQL.

use std::cmp::Ordering;

use proptest::prelude::*;

use waybill_report::catalog::Grain;
use waybill_report::column::ColumnKind;
use waybill_report::query::{Direction, FilterOp, Literal, ReportPlan, SortKey, Test};

use crate::queries::{Asked, FIELDS, SampleRow};

/// A value for each column; `None` is NULL.
pub(super) type Row = Vec<Option<Literal>>;

/// Every row of the answer before the limit, and what is known of their order.
#[derive(Debug)]
pub(super) struct Expected {
    /// Sorted; the order of equal ones is the database's choice.
    rows: Vec<Row>,
    order: Vec<SortKey>,
    limit: usize,
}

impl Expected {
    pub(super) fn of(plan: &ReportPlan, asked: &Asked, belongings: &[SampleRow]) -> Self {
        let chosen: Vec<&SampleRow> = belongings
            .iter()
            .filter(|belonging| is_chosen(belonging, plan, asked))
            .collect();
        let mut rows = match plan.dataset().grain {
            Grain::Row => chosen.iter().map(|row| dimensions(plan, row)).collect(),
            Grain::Aggregate => groups(plan, &chosen),
        };
        rows.sort_by(|left, right| in_order(plan.order(), left, right));
        let limit = plan.limit().map(usize::try_from);
        Self {
            rows,
            order: plan.order().to_vec(),
            limit: limit.map_or(usize::MAX, |limit| limit.expect("64 bits")),
        }
    }

    /// Holds what a database gave against what it should have given.
    pub(super) fn check(&self, found: &[Row]) -> Result<(), TestCaseError> {
        prop_assert_eq!(found.len(), self.rows.len().min(self.limit), "{:?}", found);
        for (found, expected) in found.iter().zip(&self.rows) {
            // Of rows that are ordered alike any may come first, but none that comes later.
            let alike = in_order(&self.order, found, expected).is_eq();
            prop_assert!(alike, "{found:?} where {expected:?} belongs");
        }
        let mut left: Vec<&Row> = self.rows.iter().collect();
        for found in found {
            let place = left.iter().position(|row| equal(row, found));
            prop_assert!(place.is_some(), "{found:?} is none of {left:?}");
            left.swap_remove(place.unwrap_or_default());
        }
        Ok(())
    }
}

fn cell<'a>(belonging: &'a SampleRow, field: &str) -> Option<&'a Literal> {
    let place = FIELDS.iter().position(|(name, _)| *name == field);
    belonging.cells[place.expect("one of the fields")].as_ref()
}

fn is_chosen(belonging: &SampleRow, plan: &ReportPlan, asked: &Asked) -> bool {
    let range = plan.query().time_range;
    let Some(Literal::Timestamp(at)) = cell(belonging, "at") else {
        return false;
    };
    let tests = &asked.tests;
    belonging.owner == plan.org().as_str()
        && range.from <= *at
        && *at < range.to
        && tests
            .iter()
            .all(|(field, test)| holds(cell(belonging, field), test))
}

fn holds(value: Option<&Literal>, test: &Test) -> bool {
    let compared = |other: &Literal| value.map(|value| compare(value, other));
    match test {
        Test::IsNull => value.is_none(),
        Test::IsNotNull => value.is_some(),
        Test::In(others) => others
            .iter()
            .any(|other| compared(other) == Some(Ordering::Equal)),
        Test::Never => false,
        Test::Compare(op, other) => compared(other).is_some_and(|order| match op {
            FilterOp::Eq | FilterOp::In => order.is_eq(),
            FilterOp::Neq => order.is_ne(),
            FilterOp::Gt => order.is_gt(),
            FilterOp::Gte => order.is_ge(),
            FilterOp::Lt => order.is_lt(),
            FilterOp::Lte => order.is_le(),
        }),
    }
}

/// The columns of a row that are dimensions, which are all but the measures at the end.
fn dimensions(plan: &ReportPlan, belonging: &SampleRow) -> Row {
    let dimensions = plan
        .columns()
        .iter()
        .filter(|column| column.kind == ColumnKind::Dimension);
    dimensions
        .map(|column| cell(belonging, &column.name).cloned())
        .collect()
}

fn groups(plan: &ReportPlan, chosen: &[&SampleRow]) -> Vec<Row> {
    let mut groups: Vec<(Row, Vec<&SampleRow>)> = Vec::new();
    for belonging in chosen {
        let key = dimensions(plan, belonging);
        match groups.iter_mut().find(|(known, _)| equal(known, &key)) {
            Some((_, members)) => members.push(belonging),
            None => groups.push((key, vec![belonging])),
        }
    }
    if groups.is_empty() && plan.query().dimensions.is_empty() {
        groups.push((Row::new(), Vec::new()));
    }
    let measures = || {
        plan.columns()
            .iter()
            .filter(|column| column.kind == ColumnKind::Measure)
    };
    groups
        .into_iter()
        .map(|(mut row, members)| {
            row.extend(measures().map(|column| measure(&column.name, &members)));
            row
        })
        .collect()
}

fn measure(name: &str, members: &[&SampleRow]) -> Option<Literal> {
    let count = |number: usize| Some(Literal::Integer(number as i64));
    let integers = members.iter().filter_map(|member| match cell(member, "i") {
        Some(Literal::Integer(number)) => Some(*number),
        _ => None,
    });
    match name {
        "n" | "row_count" => count(members.len()),
        "filled" => count(
            members
                .iter()
                .filter(|member| cell(member, "s").is_some())
                .count(),
        ),
        "low" => integers.min().map(Literal::Integer),
        "high" => integers.max().map(Literal::Integer),
        other => panic!("no measure {other}"),
    }
}

/// NULLs last in both directions.
fn in_order(keys: &[SortKey], left: &Row, right: &Row) -> Ordering {
    let by_key = |key: &SortKey| match (&left[key.column], &right[key.column]) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => match key.direction {
            Direction::Asc => compare(left, right),
            Direction::Desc => compare(right, left),
        },
    };
    keys.iter()
        .map(by_key)
        .fold(Ordering::Equal, Ordering::then)
}

/// Whether two rows are of the same values; of one value there may be several notations.
fn equal(left: &Row, right: &Row) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|pair| match pair {
            (None, None) => true,
            (Some(left), Some(right)) => compare(left, right).is_eq(),
            _ => false,
        })
}

/// The order of two values of one type.
fn compare(left: &Literal, right: &Literal) -> Ordering {
    match (left, right) {
        (Literal::String(left), Literal::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Literal::Integer(left), Literal::Integer(right)) => left.cmp(right),
        (Literal::Float(left), Literal::Float(right)) => left.partial_cmp(right).expect("numbers"),
        (Literal::Decimal(left), Literal::Decimal(right)) => compare_decimals(left, right),
        (Literal::Boolean(left), Literal::Boolean(right)) => left.cmp(right),
        (Literal::Timestamp(left), Literal::Timestamp(right)) => left.cmp(right),
        (Literal::Date(left), Literal::Date(right)) => left.cmp(right),
        (Literal::Uuid(left), Literal::Uuid(right)) => left.as_bytes().cmp(right.as_bytes()),
        _ => panic!("{left:?} and {right:?} are of two types"),
    }
}

/// By value, as numbers of units of the last digit of either.
fn compare_decimals(left: &str, right: &str) -> Ordering {
    let scale = |text: &str| {
        text.split_once('.')
            .map_or(0, |(_, fraction)| fraction.len())
    };
    let most = scale(left).max(scale(right));
    let units = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits + &"0".repeat(most - scale(text));
        let units: i128 = digits.parse().expect("no more digits than a number has");
        if text.starts_with('-') { -units } else { units }
    };
    units(left).cmp(&units(right))
}
