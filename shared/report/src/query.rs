//! What is asked: a request as it came, and the plan that validation makes of it.
//!
//! [`ReportRequest`] is an unchecked JSON body. [`Catalog::plan`](crate::catalog::Catalog::plan) is
//! the only way from it to a [`ReportPlan`], and reports every fault at once. A plan knows
//! expressions and typed values, not SQL: that is [`statement`](crate::source::statement)'s.

mod document;
mod error;
mod instant;
mod literal;
mod plan;
mod pointer;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::caller::OrgId;
use crate::catalog::{Dataset, Expression};
use crate::column::{Column, ColumnType};
use crate::encode::Format;
use crate::source::stored_types::StoredTypes;

use self::pointer::Pointer;
pub use error::{Fault, FaultCode, Rejection};
pub use literal::Literal;
pub(crate) use literal::plain_decimal;

/// Rows of a report whose query names no limit.
pub const DEFAULT_LIMIT: u64 = 100;
/// The most values of one `in` filter.
pub const MAX_IN_VALUES: usize = 1_000;
/// The most filters of one query.
pub const MAX_FILTERS: usize = 100;
/// The most columns of one query where [`Catalog::with_max_columns`](crate::catalog::Catalog::with_max_columns)
/// says nothing else: dimensions and measures together. `PostgreSQL` selects 1,664 at most.
pub const MAX_COLUMNS: usize = 1_600;
/// The most faults that are told of one request; one more says that there are more.
pub const MAX_FAULTS: usize = 1_000;

/// The body of a request, well-formed JSON and nothing more.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    body: Value,
    /// Members that stand twice in their object.
    repeated: Vec<Pointer>,
    shape: Shape,
}

/// Where in the body the query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The body is the query (`run_report_query`): answered as JSON, within the inline bounds.
    Query,
    /// The body wraps the query with a format (`export_report_query`).
    Export,
}

impl ReportRequest {
    /// Reads the body of `run_report_query`, a bare query.
    ///
    /// # Errors
    /// A fault at the document's root when the bytes are not one JSON document.
    pub fn query(body: &[u8]) -> Result<Self, Rejection> {
        Self::read(body, Shape::Query)
    }

    /// Reads the body of `export_report_query`, a query with a format.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn export(body: &[u8]) -> Result<Self, Rejection> {
        Self::read(body, Shape::Export)
    }

    /// Returns the document that was read; of a member that stands twice, the last.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.body
    }

    /// The request that a stored export was accepted for.
    fn stored(query: &ReportQuery, format: Format) -> Self {
        Self {
            body: serde_json::json!({ "query": query, "format": format }),
            repeated: Vec::new(),
            shape: Shape::Export,
        }
    }

    fn read(body: &[u8], shape: Shape) -> Result<Self, Rejection> {
        match document::read(body) {
            Ok(document) => Ok(Self {
                body: document.value,
                repeated: document.repeated,
                shape,
            }),
            Err(error) => Err(Rejection::Invalid(vec![Fault::new(
                "",
                FaultCode::InvalidRequest,
                format!("the body is not a JSON document: {error}"),
            )])),
        }
    }
}

/// A semantic query, as it was understood: defaults filled in, instants in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportQuery {
    /// A dataset of the catalog.
    pub dataset: String,
    /// Which rows, by the dataset's time column.
    pub time_range: TimeRange,
    /// Columns to group by (`grain: aggregate`) or to copy (`grain: row`).
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Columns to compute; none = one column `row_count`.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Conditions, all of which must hold; applied before aggregation.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// The order of the rows; NULLs last in both directions.
    #[serde(default)]
    pub order_by: Vec<OrderBy>,
    /// The most rows; 0 = none, the header alone; 100 when absent; `null` = every row (exports only).
    // No `default` in the schema: generators make a member that has one required.
    #[serde(default = "default_limit")]
    #[schema(minimum = 0)]
    pub limit: Option<u64>,
}

fn default_limit() -> Option<u64> {
    Some(DEFAULT_LIMIT)
}

/// A half-open span of time: `from` inclusive, `to` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeRange {
    /// The first instant that belongs to it.
    #[serde(serialize_with = "rfc3339")]
    pub from: DateTime<Utc>,
    /// The first instant that does not.
    #[serde(serialize_with = "rfc3339")]
    pub to: DateTime<Utc>,
}

fn rfc3339<S: Serializer>(instant: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// One condition on a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Filter {
    /// One of the dataset's filter fields.
    pub field: String,
    /// How it is compared.
    pub op: FilterOp,
    /// A scalar that fits the field's type; an array of 1 to 1000 of them for `in`; `null` only with
    /// `eq` (IS NULL) and `neq` (IS NOT NULL).
    pub value: Value,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilterOp {
    /// Equal.
    Eq,
    /// Not equal; NULL is neither.
    Neq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Equal to one of an array.
    In,
}

impl FilterOp {
    /// Every operator.
    pub const ALL: [Self; 7] = [
        Self::Eq,
        Self::Neq,
        Self::Gt,
        Self::Gte,
        Self::Lt,
        Self::Lte,
        Self::In,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::In => "in",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }

    /// The operators that make sense for a type: a UUID or a boolean has no order, and of a JSON
    /// document only its absence can be asked.
    #[must_use]
    pub fn for_type(column_type: ColumnType) -> &'static [Self] {
        match column_type {
            ColumnType::Boolean | ColumnType::Uuid => &[Self::Eq, Self::Neq, Self::In],
            ColumnType::Json => &[Self::Eq, Self::Neq],
            _ => &Self::ALL,
        }
    }
}

/// One column of the order: exactly one of `dimension` and `measure`, which the query selects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderBy {
    /// A selected dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<String>,
    /// A selected measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// Ascending when absent.
    #[serde(default)]
    pub direction: Direction,
}

/// A direction of sorting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smallest first.
    #[default]
    Asc,
    /// Largest first.
    Desc,
}

/// A validated, organisation-scoped report. Only [`Catalog::plan`](crate::catalog::Catalog::plan) makes one.
#[derive(Clone, Debug)]
pub struct ReportPlan {
    query: ReportQuery,
    format: Format,
    org: OrgId,
    dataset: Arc<Dataset>,
    columns: Vec<Column>,
    expressions: Vec<Expression>,
    predicates: Vec<Predicate>,
    order: Vec<SortKey>,
    stored_types: StoredTypes,
}

impl ReportPlan {
    /// The same plan for a database that has types of its own.
    #[must_use]
    pub fn with_stored_types(mut self, stored_types: StoredTypes) -> Self {
        self.stored_types = stored_types;
        self
    }

    /// What the database makes of the expressions, as far as it was asked.
    #[must_use]
    pub fn stored_types(&self) -> &StoredTypes {
        &self.stored_types
    }

    /// The query as it was understood.
    #[must_use]
    pub fn query(&self) -> &ReportQuery {
        &self.query
    }

    /// The file format asked for.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whose rows are read.
    #[must_use]
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The result's columns, in the order of the request: dimensions, then measures.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How each of [`columns`](Self::columns) is computed.
    #[must_use]
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// The conditions, all of which must hold, beside organisation and time range.
    #[must_use]
    pub fn predicates(&self) -> &[Predicate] {
        &self.predicates
    }

    /// The order of rows; empty = unspecified.
    #[must_use]
    pub fn order(&self) -> &[SortKey] {
        &self.order
    }

    /// The most rows; `None` = every row.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.query.limit
    }

    /// Whether a result of so many rows may have been cut by the limit.
    #[must_use]
    pub fn limit_reached(&self, rows: u64) -> bool {
        self.limit() == Some(rows)
    }

    /// The file's name: dataset, first and last day of the range, format.
    #[must_use]
    pub fn filename(&self) -> String {
        let TimeRange { from, to } = self.query.time_range;
        format!(
            "{}-{}-{}.{}",
            self.query.dataset,
            from.format("%Y%m%d"),
            to.format("%Y%m%d"),
            self.format.name()
        )
    }
}

/// A typed condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// What is compared.
    pub expression: Expression,
    /// Its type; every literal in `test` is of it.
    pub column_type: ColumnType,
    /// The comparison.
    pub test: Test,
}

/// What a condition asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// IS NULL.
    IsNull,
    /// IS NOT NULL.
    IsNotNull,
    /// A comparison with one value; never [`FilterOp::In`].
    Compare(FilterOp, Literal),
    /// Equal to one of these, at least one.
    In(Vec<Literal>),
    /// Nothing: no value is what was asked for.
    Never,
}

/// One column of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Index into [`ReportPlan::columns`].
    pub column: usize,
    /// Direction; NULLs come last in both.
    pub direction: Direction,
}
