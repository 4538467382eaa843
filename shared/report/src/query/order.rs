//! In which order.

use serde_json::{Map, Value};

use super::error::FaultCode;
use super::faults::{Faults, quoted};
use super::plan::SortKey;
use super::pointer::Pointer;
use super::report_query::{Direction, OrderBy};
use crate::catalog::Grain;
use crate::column::{Column, ColumnKind};

/// Reads the `order_by` of a query.
pub(super) fn order_by(
    members: &Map<String, Value>,
    at: &Pointer,
    most: usize,
    faults: &mut Faults,
) -> Vec<(Pointer, OrderBy)> {
    let mut order = Vec::new();
    for (at, value) in faults.list(members, "order_by", at, most) {
        let Some(entry) = faults.object(value, &at, &["dimension", "measure", "direction"]) else {
            continue;
        };
        let mut column = |member: &str| match entry.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.clone())),
            Some(_) => {
                let detail = "expected the name of a column";
                faults.add(&at.member(member), FaultCode::InvalidOrderBy, detail);
                Err(())
            }
        };
        let (dimension, measure) = (column("dimension"), column("measure"));
        let direction = match entry.get("direction") {
            None => Some(Direction::default()),
            Some(Value::String(name)) if name == "asc" => Some(Direction::Asc),
            Some(Value::String(name)) if name == "desc" => Some(Direction::Desc),
            Some(_) => {
                let detail = "expected asc or desc";
                faults.add(&at.member("direction"), FaultCode::InvalidOrderBy, detail);
                None
            }
        };
        let (Ok(dimension), Ok(measure)) = (dimension, measure) else {
            continue;
        };
        if dimension.is_some() == measure.is_some() {
            let detail = "expected exactly one of dimension and measure";
            faults.add(&at, FaultCode::InvalidOrderBy, detail);
        } else if let Some(direction) = direction {
            order.push((
                at,
                OrderBy {
                    dimension,
                    measure,
                    direction,
                },
            ));
        }
    }
    order
}

/// Finds the columns that are ordered by, and says of each that the query does not select.
pub(super) fn sort_keys(
    order: &[(Pointer, OrderBy)],
    columns: &[Column],
    columns_are_all: bool,
    faults: &mut Faults,
) -> Vec<SortKey> {
    let mut keys: Vec<SortKey> = Vec::new();
    for (entry_at, entry) in order {
        let (kind, member, name) = match (&entry.dimension, &entry.measure) {
            (Some(name), _) => (ColumnKind::Dimension, "dimension", name),
            (None, Some(name)) => (ColumnKind::Measure, "measure", name),
            (None, None) => continue,
        };
        let position = columns
            .iter()
            .position(|column| column.kind == kind && column.name == *name);
        match position {
            Some(column) if keys.iter().any(|key| key.column == column) => {
                let detail = format!("{} is ordered by twice", quoted(name));
                faults.add(entry_at, FaultCode::InvalidOrderBy, detail);
            }
            Some(column) => keys.push(SortKey {
                column,
                direction: entry.direction,
            }),
            // It may be meant by a name that has a fault of its own.
            None if !columns_are_all => {}
            None => {
                let detail = format!("the query selects no {member} {}", quoted(name));
                faults.add(&entry_at.member(member), FaultCode::InvalidOrderBy, detail);
            }
        }
    }
    keys
}

/// Groups differ in their dimensions, so the dimensions as tie-breakers make an order total.
pub(super) fn total_order(
    mut keys: Vec<SortKey>,
    grain: Grain,
    columns: &[Column],
) -> Vec<SortKey> {
    if grain == Grain::Aggregate && !keys.is_empty() {
        for (column, described) in columns.iter().enumerate() {
            let named = keys.iter().any(|key| key.column == column);
            if described.kind == ColumnKind::Dimension && !named {
                keys.push(SortKey {
                    column,
                    direction: Direction::Asc,
                });
            }
        }
    }
    keys
}
