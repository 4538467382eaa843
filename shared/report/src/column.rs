//! The nine column types of a report and how each stands in an Arrow batch.
//!
//! This is the seam between a source and a file format: a source promises batches of
//! [`arrow_schema()`], an encoder accepts nothing else. Neither knows the other.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The type of a report column, as the catalog declares it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ColumnType {
    /// UTF-8 text. Arrow `Utf8`.
    String,
    /// A signed 64-bit integer. Arrow `Int64`.
    Integer,
    /// An IEEE 754 double, NaN and infinities included. Arrow `Float64`.
    Float,
    /// A decimal of any size with its scale kept, as its text (`-12.50`; `NaN`, `Infinity` and
    /// `-Infinity` where the source has them). Arrow `Utf8`, because no Arrow decimal holds them all.
    Decimal,
    /// `true` or `false`. Arrow `Boolean`.
    Boolean,
    /// An instant in microseconds since 1970-01-01T00:00:00Z; the greatest and the least number are infinity.
    /// Arrow `Timestamp(Microsecond, "UTC")`.
    Timestamp,
    /// A calendar day as days since 1970-01-01; the greatest and the least number are infinity. Arrow `Date32`.
    Date,
    /// A UUID (RFC 9562). Arrow `FixedSizeBinary(16)`.
    Uuid,
    /// A JSON document in compact form (RFC 8259), as its text. Arrow `Utf8`.
    Json,
}

impl ColumnType {
    /// Returns whether its values can be of any length.
    #[must_use]
    pub fn is_variable(self) -> bool {
        matches!(self, Self::String | Self::Json)
    }

    /// Returns the name used in catalogs and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the physical Arrow type of a column of this type.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::String | Self::Decimal | Self::Json => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Uuid => DataType::FixedSizeBinary(16),
        }
    }
}

/// What a column is to the query that selects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Grouped by (aggregate) or copied (row).
    Dimension,
    /// Computed over the group.
    Measure,
}

/// One column of a report's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// The name in the header row and in JSON rows.
    pub name: String,
    /// Dimension or measure.
    pub kind: ColumnKind,
    /// The type of its values; every column may hold NULL.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// Returns the Arrow schema that a source's batches have for these columns; every field is nullable.
#[must_use]
pub fn arrow_schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(&column.name, column.column_type.arrow(), true))
        .collect();
    Arc::new(Schema::new(fields))
}
