//! A record batch seen as typed columns.
//!
//! It owns the check that a batch is of the promised schema, so that encoders match on a type once a
//! batch and not once a cell; it knows no file format.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::encoder::EncodeError;
use crate::column::{Column, ColumnType};

/// One column of a batch.
pub(super) struct Cells<'a> {
    /// Which cells hold a value; absent when all do.
    pub(super) nulls: Option<&'a NullBuffer>,
    /// The values; at a NULL whatever the source left there.
    pub(super) values: Values<'a>,
}

/// The values of one column, one variant for each column type.
pub(super) enum Values<'a> {
    String(&'a StringArray),
    Integer(&'a [i64]),
    Float(&'a [f64]),
    Decimal(&'a StringArray),
    Boolean(&'a BooleanBuffer),
    /// Microseconds since the Unix epoch.
    Timestamp(&'a [i64]),
    /// Days since the Unix epoch.
    Date(&'a [i32]),
    Uuid(&'a FixedSizeBinaryArray),
    Json(&'a StringArray),
}

impl Cells<'_> {
    /// Whether the cell of this row is NULL.
    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// About how many bytes these cells take as text: what to reserve, not a bound.
    pub(super) fn text_size(&self) -> usize {
        match self.values {
            Values::String(texts) | Values::Decimal(texts) | Values::Json(texts) => {
                let offsets = texts.value_offsets();
                // An array has one offset more than values; offsets grow and are never negative.
                (offsets[texts.len()] - offsets[0]) as usize
            }
            Values::Integer(values) => values.len() * 8,
            Values::Float(values) => values.len() * 17,
            Values::Boolean(values) => values.len() * 5,
            Values::Timestamp(values) => values.len() * 27,
            Values::Date(values) => values.len() * 10,
            Values::Uuid(values) => values.len() * 36,
        }
    }
}

/// The columns of a batch, typed.
///
/// # Errors
/// [`EncodeError::SchemaMismatch`] when their number or a type is not the promised one.
pub(super) fn cells<'a>(
    columns: &[Column],
    batch: &'a RecordBatch,
) -> Result<Vec<Cells<'a>>, EncodeError> {
    if let Some(extra) = batch.schema_ref().fields().get(columns.len()) {
        return Err(mismatch(extra.name(), &"no such column", extra.data_type()));
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let expected = column.column_type.arrow();
        let Some(array) = batch.columns().get(index) else {
            return Err(mismatch(&column.name, &expected, &"no such column"));
        };
        if *array.data_type() != expected {
            return Err(mismatch(&column.name, &expected, array.data_type()));
        }
        let values = match column.column_type {
            ColumnType::String => Values::String(array.as_string()),
            ColumnType::Integer => Values::Integer(array.as_primitive::<Int64Type>().values()),
            ColumnType::Float => Values::Float(array.as_primitive::<Float64Type>().values()),
            ColumnType::Decimal => Values::Decimal(array.as_string()),
            ColumnType::Boolean => Values::Boolean(array.as_boolean().values()),
            ColumnType::Timestamp => {
                Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            ColumnType::Date => Values::Date(array.as_primitive::<Date32Type>().values()),
            ColumnType::Uuid => Values::Uuid(array.as_fixed_size_binary()),
            ColumnType::Json => Values::Json(array.as_string()),
        };
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        cells.push(Cells { nulls, values });
    }
    Ok(cells)
}

fn mismatch(column: &str, expected: &dyn ToString, actual: &dyn ToString) -> EncodeError {
    EncodeError::SchemaMismatch {
        column: column.to_owned(),
        expected: expected.to_string(),
        actual: actual.to_string(),
    }
}

/// A UUID as hyphenated lower-case hexadecimal digits.
pub(super) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes: [u8; 16] = bytes
        .try_into()
        .expect("FixedSizeBinary(16) holds 16 bytes");
    let mut text = [0; 36];
    uuid::Uuid::from_bytes(bytes)
        .hyphenated()
        .encode_lower(&mut text);
    out.extend_from_slice(&text);
}
