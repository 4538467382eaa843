//! From the server's binary form of a value to an Arrow array, without anything in between.

use std::mem;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{
    BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer,
};

use super::numeric;
use crate::column::ColumnType;
use crate::source::batches::BATCH_ROWS;
use crate::source::json;

/// PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * MICROS_PER_DAY;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Why a field cannot stand in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The server has a value that a report has no place for.
    Value(&'static str),
    /// The text of this row of the batch, from 0, is no UTF-8.
    Text(usize),
    /// The bytes are no value of the type.
    Form,
}

/// The values of one column of a batch.
pub(super) struct ColumnBuilder {
    values: Values,
    nulls: NullBufferBuilder,
}

enum Values {
    String(Texts),
    Integer(Vec<i64>),
    /// Integers that come as numeric.
    WholeNumeric(Vec<i64>),
    Float(Vec<f64>),
    Decimal(Texts),
    Boolean(BooleanBufferBuilder),
    Timestamp(Vec<i64>),
    Date(Vec<i32>),
    Uuid(Vec<u8>),
    Json(Texts),
}

/// Texts one after the other, and where each ends.
struct Texts {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl ColumnBuilder {
    pub(super) fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::String => Values::String(Texts::new(0)),
            ColumnType::Integer => Values::Integer(Vec::new()),
            ColumnType::Float => Values::Float(Vec::new()),
            ColumnType::Decimal => Values::Decimal(Texts::new(0)),
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Uuid => Values::Uuid(Vec::new()),
            ColumnType::Json => Values::Json(Texts::new(0)),
        };
        Self::of(values)
    }

    /// A column of integers that come as numeric.
    pub(super) fn of_whole_numerics() -> Self {
        Self::of(Values::WholeNumeric(Vec::new()))
    }

    fn of(values: Values) -> Self {
        Self {
            values,
            nulls: NullBufferBuilder::new(BATCH_ROWS),
        }
    }

    pub(super) fn append_null(&mut self) {
        match &mut self.values {
            Values::String(texts) | Values::Decimal(texts) | Values::Json(texts) => {
                texts.end();
            }
            Values::Integer(values) | Values::WholeNumeric(values) | Values::Timestamp(values) => {
                values.push(0);
            }
            Values::Float(values) => values.push(0.0),
            Values::Boolean(values) => values.append(false),
            Values::Date(values) => values.push(0),
            Values::Uuid(values) => values.extend_from_slice(&[0; 16]),
        }
        self.nulls.append_null();
    }

    /// Appends a value.
    #[inline]
    pub(super) fn append(&mut self, field: &[u8]) -> Result<(), Unfit> {
        match &mut self.values {
            Values::String(texts) => {
                texts.bytes.extend_from_slice(field);
                texts.end();
            }
            Values::Integer(values) => values.push(i64::from_be_bytes(fixed(field)?)),
            Values::WholeNumeric(values) => values.push(whole(field)?),
            Values::Float(values) => values.push(f64::from_be_bytes(fixed(field)?)),
            Values::Decimal(texts) => {
                numeric::write(field, &mut texts.bytes).ok_or(Unfit::Form)?;
                texts.end();
            }
            Values::Boolean(values) => values.append(fixed::<1>(field)? != [0]),
            Values::Timestamp(values) => values.push(instant(i64::from_be_bytes(fixed(field)?))?),
            Values::Date(values) => values.push(day(i32::from_be_bytes(fixed(field)?))?),
            Values::Uuid(values) => values.extend_from_slice(&fixed::<16>(field)?),
            Values::Json(texts) => {
                json::compact(field, &mut texts.bytes);
                texts.end();
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// The values so far; the builder starts anew.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, Unfit> {
        let nulls = self.nulls.finish();
        Ok(match &mut self.values {
            Values::String(texts) | Values::Decimal(texts) | Values::Json(texts) => {
                Arc::new(texts.finish(nulls)?)
            }
            Values::Integer(values) | Values::WholeNumeric(values) => {
                Arc::new(Int64Array::new(taken(values), nulls))
            }
            Values::Float(values) => Arc::new(Float64Array::new(taken(values), nulls)),
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Timestamp(values) => {
                let instants = TimestampMicrosecondArray::new(taken(values), nulls);
                Arc::new(instants.with_timezone("UTC"))
            }
            Values::Date(values) => Arc::new(Date32Array::new(taken(values), nulls)),
            Values::Uuid(values) => {
                let bytes = Buffer::from_vec(fresh(values));
                Arc::new(FixedSizeBinaryArray::try_new(16, bytes, nulls).map_err(|_| Unfit::Form)?)
            }
        })
    }
}

impl Texts {
    fn new(capacity: usize) -> Self {
        let mut offsets = Vec::with_capacity(BATCH_ROWS + 1);
        offsets.push(0);
        Self {
            bytes: Vec::with_capacity(capacity),
            offsets,
        }
    }

    /// Ends the text that was appended to the bytes.
    #[inline]
    fn end(&mut self) {
        // A batch is closed at 2 MiB and a row has 1 GiB at most.
        let end = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
    }

    /// Checks all texts at once, which is much faster than one by one.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<StringArray, Unfit> {
        let next = Self::new(self.bytes.len());
        let Self { bytes, offsets } = mem::replace(self, next);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let bytes = Buffer::from_vec(bytes);
        StringArray::try_new(offsets.clone(), bytes.clone(), nulls).map_err(|_| {
            let mut texts = offsets.windows(2).map(|ends| {
                let (start, end) = (ends[0] as usize, ends[1] as usize);
                bytes.get(start..end).map(std::str::from_utf8)
            });
            let broken = texts.position(|text| !matches!(text, Some(Ok(_))));
            broken.map_or(Unfit::Form, Unfit::Text)
        })
    }
}

/// The values, with room for as many left behind.
fn fresh<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(values.len());
    mem::replace(values, next)
}

fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(fresh(values))
}

#[inline]
fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], Unfit> {
    field.try_into().map_err(|_| Unfit::Form)
}

/// The value of a numeric without a fraction.
fn whole(field: &[u8]) -> Result<i64, Unfit> {
    let mut text = Vec::new();
    numeric::write(field, &mut text).ok_or(Unfit::Form)?;
    let text = std::str::from_utf8(&text).map_err(|_| Unfit::Form)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.trim_end_matches('0').is_empty() {
        return Err(Unfit::Value("a fraction where an integer is expected"));
    }
    whole
        .parse()
        .map_err(|_| Unfit::Value("a number beyond the integers of 64 bits"))
}

/// The greatest and the least number are the infinities, here and there.
#[inline]
fn instant(micros: i64) -> Result<i64, Unfit> {
    match micros {
        i64::MIN | i64::MAX => Ok(micros),
        micros => micros
            .checked_add(EPOCH_MICROS)
            .filter(|since_1970| *since_1970 != i64::MAX)
            .ok_or(Unfit::Value("an instant after the year 294246")),
    }
}

/// The same of a day; all that the server has are days since 1970, too.
#[inline]
fn day(days: i32) -> Result<i32, Unfit> {
    match days {
        i32::MIN | i32::MAX => Ok(days),
        days => days.checked_add(EPOCH_DAYS).ok_or(Unfit::Form),
    }
}
