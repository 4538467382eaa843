//! A query as it was understood: what clients read back, and what is stored.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use strum::VariantArray;
use utoipa::ToSchema;

use super::limits::DEFAULT_LIMIT;
use crate::column::ColumnType;

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
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the operators that make sense for a type: a UUID or a boolean has no order, and of a JSON
    /// document only its absence can be asked.
    #[must_use]
    pub fn for_type(column_type: ColumnType) -> &'static [Self] {
        match column_type {
            ColumnType::Boolean | ColumnType::Uuid => &[Self::Eq, Self::Neq, Self::In],
            ColumnType::Json => &[Self::Eq, Self::Neq],
            _ => Self::VARIANTS,
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
