//! The validation that makes a plan of a request. It never stops at the first fault.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{Fault, FaultCode, Rejection};
use super::instant::parse_instant;
use super::literal::{EXPECTED_INSTANT, Literal};
use super::pointer::Pointer;
use super::{
    DEFAULT_LIMIT, Direction, Filter, FilterOp, MAX_FAULTS, MAX_FILTERS, MAX_IN_VALUES, OrderBy,
    Predicate, ReportPlan, ReportQuery, ReportRequest, Shape, SortKey, Test, TimeRange,
};
use crate::caller::{Caller, OrgId};
use crate::catalog::{Catalog, Dataset, Expression, Field, Grain};
use crate::column::{Column, ColumnKind, ColumnType};
use crate::encode::Format;
use crate::source::stored_types::StoredTypes;

/// The column of a query that names no measures.
const ROW_COUNT: &str = "row_count";

impl Catalog {
    /// Validates a request for a caller.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with every fault of the request, or [`Rejection::Forbidden`] when the
    /// dataset exists and the caller may not use it.
    pub fn plan(&self, request: &ReportRequest, caller: &Caller) -> Result<ReportPlan, Rejection> {
        self.validate(request, &caller.org, Some(caller))
    }

    /// Validates the request of an export once more, when it is run: the catalog may have changed since
    /// it was accepted. Whether its caller may use the dataset was settled then.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with every fault.
    pub fn plan_again(
        &self,
        query: &ReportQuery,
        format: Format,
        org: &OrgId,
    ) -> Result<ReportPlan, Rejection> {
        self.validate(&ReportRequest::stored(query, format), org, None)
    }

    fn validate(
        &self,
        request: &ReportRequest,
        org: &OrgId,
        caller: Option<&Caller>,
    ) -> Result<ReportPlan, Rejection> {
        let mut faults = Faults::default();
        for at in &request.repeated {
            faults.add(at, FaultCode::InvalidRequest, "stands more than once");
        }
        let (query, at, format) = match request.shape {
            Shape::Query => (Some(&request.body), Pointer::root(), Format::Json),
            Shape::Export => {
                let (query, format) = faults.export_body(&request.body);
                (query, Pointer::root().member("query"), format)
            }
        };
        let plan = query.and_then(|query| {
            let validation = Validation {
                catalog: self,
                org,
                caller,
                format,
                exports: request.shape == Shape::Export,
            };
            validation.query(query, &at, &mut faults)
        });
        match plan {
            // Which dataset is meant may depend on who reads a member that stands twice.
            Some(Err(rejection)) if request.repeated.is_empty() => Err(rejection),
            Some(Ok(plan)) if faults.0.is_empty() => Ok(plan),
            _ => Err(Rejection::Invalid(faults.0)),
        }
    }
}

struct Validation<'a> {
    catalog: &'a Catalog,
    org: &'a OrgId,
    /// Whose permissions are to be checked.
    caller: Option<&'a Caller>,
    format: Format,
    exports: bool,
}

impl Validation<'_> {
    /// `None` when faults were found that leave nothing to plan; other faults are in `faults` beside
    /// a plan that must not be used.
    fn query(
        &self,
        query: &Value,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<Result<ReportPlan, Rejection>> {
        const MEMBERS: [&str; 7] = [
            "dataset",
            "time_range",
            "dimensions",
            "measures",
            "filters",
            "order_by",
            "limit",
        ];
        let members = faults.object(query, at, &MEMBERS)?;
        let dataset = self.dataset(members, at, faults);
        if let Some(dataset) = &dataset
            && self.caller.is_some_and(|caller| !dataset.allows(caller))
        {
            return Some(Err(Rejection::Forbidden {
                dataset: dataset.name.clone(),
            }));
        }
        let dataset = dataset.as_ref();

        let time_range = time_range(members, at, dataset.map(AsRef::as_ref), faults);
        let sound_so_far = faults.0.len();
        let most = self.catalog.max_columns();
        let dimensions = names(members, "dimensions", at, most, faults);
        let measures = names(members, "measures", at, most, faults);
        if dimensions.len() + measures.len() > most {
            let detail = format!("at most {most} columns, dimensions and measures together");
            faults.add(&at.member("measures"), FaultCode::TooManyItems, detail);
        }
        let mut selection_is_sound = faults.0.len() == sound_so_far;
        let limit = self.limit(members, at, faults);
        let mut selection = Selection::default();
        if let Some(dataset) = dataset {
            if dimensions.is_empty() && selection_is_sound && dataset.grain == Grain::Row {
                let detail =
                    "a dataset of grain row needs at least one dimension, the columns of its rows";
                let at = at.member("dimensions");
                faults.add(&at, FaultCode::UnknownDimension, detail);
            }
            let sound_so_far = faults.0.len();
            selection = select(dataset, &dimensions, &measures, faults);
            selection_is_sound &= faults.0.len() == sound_so_far;
        }
        let (filters, predicates) = filters(members, at, dataset.map(AsRef::as_ref), faults);
        let order_by = order_by(members, at, most, faults);
        let order = dataset.map(|dataset| {
            let order = sort_keys(&order_by, &selection.columns, selection_is_sound, faults);
            total_order(order, dataset.grain, &selection.columns)
        });

        Some(Ok(ReportPlan {
            dataset: Arc::clone(dataset?),
            query: ReportQuery {
                dataset: dataset?.name.clone(),
                time_range: time_range?,
                dimensions: dimensions.into_iter().map(|(_, name)| name).collect(),
                measures: measures.into_iter().map(|(_, name)| name).collect(),
                filters,
                order_by: order_by.into_iter().map(|(_, entry)| entry).collect(),
                limit: limit?,
            },
            format: self.format,
            org: self.org.clone(),
            columns: selection.columns,
            expressions: selection.expressions,
            predicates,
            order: order?,
            stored_types: StoredTypes::default(),
        }))
    }

    fn dataset(
        &self,
        members: &Map<String, Value>,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<&Arc<Dataset>> {
        let at = at.member("dataset");
        match members.get("dataset") {
            Some(Value::String(name)) => {
                let dataset = self.catalog.dataset(name);
                if dataset.is_none() {
                    let detail = format!(
                        "there is no dataset {}; the catalog lists them",
                        quoted(name)
                    );
                    faults.add(&at, FaultCode::UnknownDataset, detail);
                }
                dataset
            }
            Some(_) => faults.wrong(&at, "expected the name of a dataset"),
            None => faults.wrong(&at, "required: the name of a dataset"),
        }
    }

    fn limit(
        &self,
        members: &Map<String, Value>,
        at: &Pointer,
        faults: &mut Faults,
    ) -> Option<Option<u64>> {
        let at = at.member("limit");
        match members.get("limit") {
            None => Some(Some(DEFAULT_LIMIT)),
            Some(Value::Null) if self.exports => Some(None),
            Some(value) => {
                let rows = value
                    .as_u64()
                    .filter(|rows| (0..=i64::MAX as u64).contains(rows));
                if rows.is_none() {
                    let expected = if self.exports {
                        "expected a whole number of rows, 0 or more, or null for every row"
                    } else {
                        "expected a whole number of rows, 0 or more"
                    };
                    faults.add(&at, FaultCode::InvalidLimit, expected);
                }
                rows.map(Some)
            }
        }
    }
}

fn time_range(
    members: &Map<String, Value>,
    at: &Pointer,
    dataset: Option<&Dataset>,
    faults: &mut Faults,
) -> Option<TimeRange> {
    let at = at.member("time_range");
    let Some(value) = members.get("time_range") else {
        return faults.wrong(&at, "required: an object with from and to");
    };
    let range = faults.object(value, &at, &["from", "to"])?;
    let mut instant = |name: &str| {
        let at = at.member(name);
        let parsed = match range.get(name) {
            Some(value) => value.as_str().and_then(parse_instant),
            None => return faults.wrong(&at, "required: an RFC 3339 instant"),
        };
        if parsed.is_none() {
            faults.add(&at, FaultCode::InvalidTimeRange, EXPECTED_INSTANT);
        }
        parsed
    };
    let (from, to) = (instant("from"), instant("to"));
    let (from, to) = (from?, to?);
    if from >= to {
        faults.add(&at, FaultCode::InvalidTimeRange, "from must be before to");
        return None;
    }
    if let Some(days) = dataset.and_then(|dataset| dataset.max_range_days)
        && to - from > chrono::Duration::days(i64::from(days))
    {
        let detail = format!("the range is longer than the {days} days that this dataset allows");
        faults.add(&at, FaultCode::InvalidTimeRange, detail);
    }
    Some(TimeRange { from, to })
}

/// A list of names with the place of each in the request.
fn names(
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

#[derive(Default)]
struct Selection {
    columns: Vec<Column>,
    expressions: Vec<Expression>,
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

fn select(
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

fn filters(
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
        if let Some(test) = test(field.column_type, op, value, &at.member("value"), faults) {
            filters.push(Filter {
                field: field.name.clone(),
                op,
                value: value.clone(),
            });
            predicates.push(Predicate {
                expression: field.expression.clone(),
                column_type: field.column_type,
                test: test.in_whole_micros(),
            });
        }
    }
    (filters, predicates)
}

fn filter_field<'a>(
    entry: &Map<String, Value>,
    at: &Pointer,
    dataset: Option<&'a Dataset>,
    faults: &mut Faults,
) -> Option<&'a Field> {
    let at = at.member("field");
    let name = match entry.get("field") {
        Some(Value::String(name)) => name,
        Some(_) => return faults.wrong(&at, "expected the name of a filter field"),
        None => return faults.wrong(&at, "required: the name of a filter field"),
    };
    let dataset = dataset?;
    let field = dataset.filter(name);
    if field.is_none() {
        let detail = unknown("filter field", name, dataset, &dataset.filters);
        faults.add(&at, FaultCode::UnknownFilterField, detail);
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
    let allowed = field.map_or(&FilterOp::ALL[..], |field| {
        FilterOp::for_type(field.column_type)
    });
    let Some(value) = entry.get("op") else {
        return faults.wrong(&at, "required: an operator");
    };
    let op = value
        .as_str()
        .and_then(FilterOp::from_name)
        .filter(|op| allowed.contains(op));
    if op.is_none() {
        let allowed: Vec<&str> = allowed.iter().map(|op| op.name()).collect();
        let detail = match field {
            Some(field) => format!(
                "expected one of {} for a field of type {}",
                allowed.join(" "),
                field.column_type
            ),
            None => format!("expected one of {}", allowed.join(" ")),
        };
        faults.add(&at, FaultCode::InvalidFilterOp, detail);
    }
    op
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

fn order_by(
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

fn sort_keys(
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
fn total_order(mut keys: Vec<SortKey>, grain: Grain, columns: &[Column]) -> Vec<SortKey> {
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

fn unknown(kind: &str, name: &str, dataset: &Dataset, fields: &[Field]) -> String {
    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(" ")
    };
    format!(
        "the dataset {} has no {kind} {}; it has {known}",
        dataset.name,
        quoted(name)
    )
}

/// A client's text as it may stand in an answer: quoted, escaped and short.
fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault, unless there are so many that the answer would dwarf the request.
    fn add(&mut self, at: &Pointer, code: FaultCode, detail: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault::new(at.as_str(), code, detail));
        } else if self.0.len() == MAX_FAULTS {
            let detail = "there are more faults than these";
            self.0.push(Fault::new("", FaultCode::TooManyItems, detail));
        }
    }

    /// Notes a member that is missing or of the wrong JSON type.
    fn wrong<T>(&mut self, at: &Pointer, detail: &str) -> Option<T> {
        self.add(at, FaultCode::InvalidRequest, detail);
        None
    }

    /// An object with no other members than these.
    fn object<'a>(
        &mut self,
        value: &'a Value,
        at: &Pointer,
        known: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Some(members) = value.as_object() else {
            return self.wrong(at, "expected an object");
        };
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let detail = format!("unknown member; expected {}", known.join(" "));
            self.add(&at.member(name), FaultCode::InvalidRequest, detail);
        }
        Some(members)
    }

    /// The entries of an optional list, each with its place.
    fn list<'a>(
        &mut self,
        members: &'a Map<String, Value>,
        member: &str,
        at: &Pointer,
        most: usize,
    ) -> Vec<(Pointer, &'a Value)> {
        let at = at.member(member);
        match members.get(member) {
            None => Vec::new(),
            Some(Value::Array(entries)) if entries.len() > most => {
                self.add(
                    &at,
                    FaultCode::TooManyItems,
                    format!("at most {most} entries"),
                );
                Vec::new()
            }
            Some(Value::Array(entries)) => entries
                .iter()
                .enumerate()
                .map(|(index, entry)| (at.index(index), entry))
                .collect(),
            Some(_) => self.wrong(&at, "expected an array").unwrap_or_default(),
        }
    }

    /// The wrapper of a query: the query itself, if there is one, and the format.
    fn export_body<'a>(&mut self, body: &'a Value) -> (Option<&'a Value>, Format) {
        let root = Pointer::root();
        let Some(members) = self.object(body, &root, &["query", "format", "options"]) else {
            return (None, Format::default());
        };
        let format = match members.get("format") {
            None => Format::default(),
            Some(value) => {
                let format = Format::ALL
                    .into_iter()
                    .find(|format| value.as_str() == Some(format.name()));
                if format.is_none() {
                    let known: Vec<&str> = Format::ALL.iter().map(|known| known.name()).collect();
                    let detail = format!("expected one of {}", known.join(" "));
                    self.add(&root.member("format"), FaultCode::UnsupportedFormat, detail);
                }
                format.unwrap_or_default()
            }
        };
        if let Some(options) = members.get("options") {
            let at = root.member("options");
            match options.as_object() {
                None => self.wrong(&at, "expected an object").unwrap_or_default(),
                Some(options) => {
                    for name in options.keys() {
                        self.add(&at.member(name), FaultCode::InvalidOption, "unknown option");
                    }
                }
            }
        }
        let query = members
            .get("query")
            .or_else(|| self.wrong(&root.member("query"), "required: the query"));
        (query, format)
    }
}
