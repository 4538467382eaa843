//! Which columns.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::FaultCode;
use super::faults::{Faults, quoted, unknown};
use super::pointer::Pointer;
use crate::catalog::{Dataset, Expression, Field, Grain, ROW_COUNT};
use crate::column::{Column, ColumnKind, ColumnType};

/// A list of names with the place of each in the request.
pub(super) fn names(
    members: &Map<String, Value>,
    member: &str,
    at: &Pointer,
    most: usize,
    faults: &mut Faults,
) -> Vec<(Pointer, String)> {
    let mut names: Vec<(Pointer, String)> = Vec::new();
    let mut selected = HashSet::new();
    for (at, value) in faults.list(members, member, at, most) {
        match value.as_str() {
            None => faults
                .wrong(&at, "expected the name of a column")
                .unwrap_or_default(),
            Some(name) if !selected.insert(name) => {
                let detail = format!("{} is selected twice", quoted(name));
                faults.add(&at, FaultCode::DuplicateColumn, detail);
            }
            Some(name) => names.push((at, name.to_owned())),
        }
    }
    names
}

/// The columns that a query selects, and how each is computed.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) columns: Vec<Column>,
    pub(super) expressions: Vec<Expression>,
}

impl Selection {
    fn push(&mut self, kind: ColumnKind, field: &Field) {
        self.columns.push(Column {
            name: field.name.clone(),
            kind,
            column_type: field.column_type,
        });
        self.expressions.push(field.expression.clone());
    }
}

/// Finds the fields of these names, and says of each that is none.
pub(super) fn select(
    dataset: &Dataset,
    dimensions: &[(Pointer, String)],
    measures: &[(Pointer, String)],
    faults: &mut Faults,
) -> Selection {
    let mut selection = Selection::default();
    for (at, name) in dimensions {
        match dataset.dimension(name) {
            Some(field) => selection.push(ColumnKind::Dimension, field),
            None => {
                let detail = unknown("dimension", name, dataset, &dataset.dimensions);
                faults.add(at, FaultCode::UnknownDimension, detail);
            }
        }
    }
    for (at, name) in measures {
        match dataset.measure(name) {
            Some(field) => selection.push(ColumnKind::Measure, field),
            None => {
                let detail = unknown("measure", name, dataset, &dataset.measures);
                faults.add(at, FaultCode::UnknownMeasure, detail);
            }
        }
    }
    if dataset.grain == Grain::Aggregate && measures.is_empty() {
        selection.columns.push(Column {
            name: ROW_COUNT.to_owned(),
            kind: ColumnKind::Measure,
            column_type: ColumnType::Integer,
        });
        selection.expressions.push(Expression::plain("count(*)"));
    }
    selection
}

/// Holds the number of columns against what the catalog allows; `at` is the query.
pub(super) fn check_number(columns: usize, most: usize, at: &Pointer, faults: &mut Faults) {
    if columns > most {
        let detail = format!("at most {most} columns, dimensions and measures together");
        faults.add(&at.member("measures"), FaultCode::TooManyItems, detail);
    }
}

/// Demands a column of a dataset whose rows are copied; `at` is the query.
pub(super) fn check_not_empty(
    dimensions: usize,
    dataset: &Dataset,
    at: &Pointer,
    faults: &mut Faults,
) {
    if dimensions == 0 && dataset.grain == Grain::Row {
        let detail = "a dataset of grain row needs at least one dimension, the columns of its rows";
        faults.add(
            &at.member("dimensions"),
            FaultCode::UnknownDimension,
            detail,
        );
    }
}
