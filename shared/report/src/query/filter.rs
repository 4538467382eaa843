//! Which rows by their values.

use serde_json::{Map, Value};
use strum::VariantArray as _;

use super::error::FaultCode;
use super::faults::{Faults, unknown};
use super::limits::{MAX_FILTERS, MAX_IN_VALUES};
use super::literal::Literal;
use super::plan::{Predicate, Test};
use super::pointer::Pointer;
use super::report_query::{Filter, FilterOp};
use crate::catalog::{Dataset, Field};
use crate::column::ColumnType;

/// Reads the `filters` of a query.
pub(super) fn filters(
    members: &Map<String, Value>,
    at: &Pointer,
    dataset: Option<&Dataset>,
    faults: &mut Faults,
) -> (Vec<Filter>, Vec<Predicate>) {
    let (mut filters, mut predicates) = (Vec::new(), Vec::new());
    for (at, value) in faults.list(members, "filters", at, MAX_FILTERS) {
        let Some(entry) = faults.object(value, &at, &["field", "op", "value"]) else {
            continue;
        };
        let field = filter_field(entry, &at, dataset, faults);
        let op = filter_op(entry, &at, field, faults);
        let Some(value) = entry.get("value") else {
            faults.wrong::<()>(&at.member("value"), "required: the value to compare with");
            continue;
        };
        let (Some(field), Some(op)) = (field, op) else {
            continue;
        };
        let filter = Filter {
            field: field.name.clone(),
            op,
            value: value.clone(),
        };
        if let Some(predicate) = predicate(&filter, field, &at, faults) {
            filters.push(filter);
            predicates.push(predicate);
        }
    }
    (filters, predicates)
}

/// Makes predicates of filters that were accepted once, of which a dataset may have changed since.
pub(super) fn predicates(
    filters: &[Filter],
    at: &Pointer,
    dataset: &Dataset,
    faults: &mut Faults,
) -> Vec<Predicate> {
    let at = at.member("filters");
    let predicate = |(index, filter): (usize, &Filter)| {
        let at = at.index(index);
        let field = field_of(&filter.field, &at, dataset, faults)?;
        if !FilterOp::for_type(field.column_type).contains(&filter.op) {
            let detail = expected_op(Some(field));
            faults.add(&at.member("op"), FaultCode::InvalidFilterOp, detail);
            return None;
        }
        predicate(filter, field, &at, faults)
    };
    filters.iter().enumerate().filter_map(predicate).collect()
}

/// Makes a filter a typed condition on its field.
fn predicate(
    filter: &Filter,
    field: &Field,
    at: &Pointer,
    faults: &mut Faults,
) -> Option<Predicate> {
    let at = at.member("value");
    let test = test(field.column_type, filter.op, &filter.value, &at, faults)?;
    Some(Predicate {
        expression: field.expression.clone(),
        column_type: field.column_type,
        test: test.in_whole_micros(),
    })
}

fn filter_field<'a>(
    entry: &Map<String, Value>,
    parent: &Pointer,
    dataset: Option<&'a Dataset>,
    faults: &mut Faults,
) -> Option<&'a Field> {
    let at = parent.member("field");
    let name = match entry.get("field") {
        Some(Value::String(name)) => name,
        Some(_) => return faults.wrong(&at, "expected the name of a filter field"),
        None => return faults.wrong(&at, "required: the name of a filter field"),
    };
    field_of(name, parent, dataset?, faults)
}

fn field_of<'a>(
    name: &str,
    at: &Pointer,
    dataset: &'a Dataset,
    faults: &mut Faults,
) -> Option<&'a Field> {
    let field = dataset.filter(name);
    if field.is_none() {
        let detail = unknown("filter field", name, dataset, &dataset.filters);
        faults.add(&at.member("field"), FaultCode::UnknownFilterField, detail);
    }
    field
}

fn filter_op(
    entry: &Map<String, Value>,
    at: &Pointer,
    field: Option<&Field>,
    faults: &mut Faults,
) -> Option<FilterOp> {
    let at = at.member("op");
    let allowed = field.map_or(FilterOp::VARIANTS, |field| {
        FilterOp::for_type(field.column_type)
    });
    let Some(value) = entry.get("op") else {
        return faults.wrong(&at, "required: an operator");
    };
    let op = value
        .as_str()
        .and_then(|name| name.parse::<FilterOp>().ok())
        .filter(|op| allowed.contains(op));
    if op.is_none() {
        faults.add(&at, FaultCode::InvalidFilterOp, expected_op(field));
    }
    op
}

/// Says which operators there are, for a field of a known type.
fn expected_op(field: Option<&Field>) -> String {
    let names = |ops: &[FilterOp]| {
        let names: Vec<&str> = ops.iter().map(|op| op.name()).collect();
        names.join(" ")
    };
    match field.map(|field| field.column_type) {
        Some(column_type) => format!(
            "expected one of {} for a field of type {column_type}",
            names(FilterOp::for_type(column_type))
        ),
        None => format!("expected one of {}", names(FilterOp::VARIANTS)),
    }
}

fn test(
    column_type: ColumnType,
    op: FilterOp,
    value: &Value,
    at: &Pointer,
    faults: &mut Faults,
) -> Option<Test> {
    let mut literal = |value: &Value, at: &Pointer| match Literal::from_json(column_type, value) {
        Ok(literal) => Some(literal),
        Err(expected) => {
            let detail = format!("{expected} for a field of type {column_type}");
            faults.add(at, FaultCode::InvalidFilterValue, detail);
            None
        }
    };
    match (op, value) {
        (FilterOp::Eq, Value::Null) => Some(Test::IsNull),
        (FilterOp::Neq, Value::Null) => Some(Test::IsNotNull),
        (FilterOp::In, Value::Array(values)) if (1..=MAX_IN_VALUES).contains(&values.len()) => {
            let literals: Vec<Option<Literal>> = values
                .iter()
                .enumerate()
                .map(|(index, value)| literal(value, &at.index(index)))
                .collect();
            literals
                .into_iter()
                .collect::<Option<Vec<Literal>>>()
                .map(Test::In)
        }
        (FilterOp::In, Value::Array(values)) if values.len() > MAX_IN_VALUES => {
            let detail = format!("at most {MAX_IN_VALUES} values");
            faults.add(at, FaultCode::TooManyItems, detail);
            None
        }
        (FilterOp::In, _) => {
            let detail = format!("in takes an array of 1 to {MAX_IN_VALUES} values");
            faults.add(at, FaultCode::InvalidFilterValue, detail);
            None
        }
        (_, Value::Null) => {
            let detail = "null can only be compared with eq and neq";
            faults.add(at, FaultCode::InvalidFilterValue, detail);
            None
        }
        (op, value) => literal(value, at).map(|literal| Test::Compare(op, literal)),
    }
}
