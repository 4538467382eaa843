//! Builds record batches from rows, one typed builder a column.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::IgnoredAny;

use super::error::source_error;
use super::value;
use crate::column::{Column, ColumnType, arrow_schema};
use crate::size::SizeLimits;
use crate::source::batches::BATCH_ROWS;
use crate::source::error::SourceError;
use crate::source::json;

/// About what a value of fixed width takes in a batch.
const FIXED_BYTES: usize = 8;

/// Collects rows until they make a batch.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    limits: SizeLimits,
    rows: usize,
    /// In the batches before.
    rows_before: u64,
    bytes: usize,
}

impl BatchBuilder {
    pub(super) fn new(columns: &[Column], limits: SizeLimits) -> Self {
        Self {
            schema: arrow_schema(columns),
            columns: columns
                .iter()
                .map(|column| ColumnBuilder::new(column.column_type))
                .collect(),
            limits,
            rows: 0,
            rows_before: 0,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), SourceError> {
        let mut row_bytes = 0;
        for (index, column) in self.columns.iter_mut().enumerate() {
            let stored = row.get_ref(index).map_err(source_error)?;
            if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = stored {
                row_bytes += bytes.len();
                if bytes.len() > self.limits.cell || row_bytes > self.limits.row {
                    let name = self.schema.field(index).name();
                    let oversize = self.limits.oversize(name, bytes.len(), row_bytes);
                    return Err(SourceError::TooLarge(oversize));
                }
            }
            column.append(stored).map_err(|reason| SourceError::Value {
                column: self.schema.field(index).name().clone(),
                row: Some(self.rows_before + self.rows as u64 + 1),
                reason: reason.to_owned(),
            })?;
        }
        self.rows += 1;
        self.bytes += row_bytes + FIXED_BYTES * self.columns.len();
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= self.limits.batch
    }

    /// Bytes of the rows so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows so far, as a batch; the builder starts anew.
    pub(super) fn take(&mut self) -> Result<RecordBatch, SourceError> {
        self.rows_before += self.rows as u64;
        (self.rows, self.bytes) = (0, 0);
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| SourceError::Refused(error.to_string()))
    }
}

enum ColumnBuilder {
    Text(StringBuilder),
    Decimal(StringBuilder),
    Json(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Uuid(FixedSizeBinaryBuilder),
}

impl ColumnBuilder {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::String => Self::Text(StringBuilder::new()),
            ColumnType::Decimal => Self::Decimal(StringBuilder::new()),
            ColumnType::Json => Self::Json(StringBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Uuid => Self::Uuid(FixedSizeBinaryBuilder::new(16)),
        }
    }

    fn append(&mut self, stored: ValueRef<'_>) -> Result<(), &'static str> {
        match self {
            Self::Text(builder) => append_text(builder, stored)?,
            Self::Decimal(builder) => builder.append_option(value::decimal(stored)?),
            Self::Json(builder) => append_json(builder, stored)?,
            Self::Integer(builder) => builder.append_option(value::integer(stored)?),
            Self::Float(builder) => builder.append_option(value::float(stored)?),
            Self::Boolean(builder) => builder.append_option(value::boolean(stored)?),
            Self::Timestamp(builder) => builder.append_option(value::micros(stored, None)?),
            Self::Date(builder) => builder.append_option(value::day(stored)?),
            Self::Uuid(builder) => match value::uuid(stored)? {
                None => builder.append_null(),
                Some(uuid) => builder
                    .append_value(uuid.as_bytes())
                    .map_err(|_| "a UUID that is not 16 bytes long")?,
            },
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) | Self::Decimal(builder) | Self::Json(builder) => {
                Arc::new(builder.finish())
            }
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Uuid(builder) => Arc::new(builder.finish()),
        }
    }
}

fn append_text(builder: &mut StringBuilder, stored: ValueRef<'_>) -> Result<(), &'static str> {
    builder.append_option(value::text(stored)?);
    Ok(())
}

/// JSON is kept compact, its numbers with every digit and its members in their order.
fn append_json(builder: &mut StringBuilder, stored: ValueRef<'_>) -> Result<(), &'static str> {
    const NO_JSON: &str = "text that is no JSON document";
    match stored {
        ValueRef::Null => builder.append_null(),
        ValueRef::Text(bytes) => {
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|_| NO_JSON)?;
            let mut document = Vec::with_capacity(bytes.len());
            json::compact(bytes, &mut document);
            builder.append_value(String::from_utf8(document).map_err(|_| NO_JSON)?);
        }
        ValueRef::Integer(number) => builder.append_value(itoa::Buffer::new().format(number)),
        ValueRef::Real(number) if number.is_finite() => builder.append_value(number.to_string()),
        ValueRef::Real(_) => return Err("an infinity where JSON is expected"),
        ValueRef::Blob(_) => return Err("a BLOB where JSON is expected"),
    }
    Ok(())
}
