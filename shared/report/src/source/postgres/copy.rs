//! The format of a binary COPY, from its signature to its trailer.
//!
//! It knows rows and fields; what a field means is the business of [`columns`](super::columns).
//! The server sends every row as one message of its own ("messages sent from the backend will always
//! correspond to single data rows"), the signature with the first and the trailer after the last.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::columns::{ColumnBuilder, Unfit};
use crate::column::{Column, arrow_schema};
use crate::size::SizeLimits;
use crate::source::batches::BATCH_ROWS;
use crate::source::error::SourceError;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Flags of the header that a reader must know to go on; none is in use today.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// The number of fields that is none: nothing follows.
const TRAILER: i16 = -1;
/// More than the values of fixed width of a row take, 1,600 of them at most.
const FIXED_BYTES: usize = 64 * 1024;
/// The length of a field that is none.
const NULL: i32 = -1;

/// Collects the rows of a binary COPY until they make a batch.
pub(super) struct CopyDecoder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    state: State,
    limits: SizeLimits,
    rows: usize,
    /// In the batches before.
    rows_before: u64,
    /// Of the messages, which is about what the rows take.
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Signature,
    Rows,
    Ended,
}

impl CopyDecoder {
    /// `sends_numeric` tells of a column of integers whether it comes as numeric.
    pub(super) fn new(
        columns: &[Column],
        limits: SizeLimits,
        sends_numeric: impl Fn(usize) -> bool,
    ) -> Self {
        Self {
            schema: arrow_schema(columns),
            columns: columns
                .iter()
                .enumerate()
                .map(|(index, column)| match sends_numeric(index) {
                    true => ColumnBuilder::of_whole_numerics(),
                    false => ColumnBuilder::new(column.column_type),
                })
                .collect(),
            state: State::Signature,
            limits,
            rows: 0,
            rows_before: 0,
            bytes: 0,
        }
    }

    /// Takes one message.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), SourceError> {
        let mut rest = message;
        self.bytes += message.len();
        if self.state == State::Signature {
            rest = after_header(rest)?;
            self.state = State::Rows;
        }
        while !rest.is_empty() {
            if self.state == State::Ended {
                return Err(malformed("something follows the trailer"));
            }
            let (fields, after) = split(rest)?;
            rest = match i16::from_be_bytes(*fields) {
                TRAILER => {
                    self.state = State::Ended;
                    after
                }
                fields if usize::try_from(fields) == Ok(self.columns.len()) => self.row(after)?,
                fields => {
                    let text = format!("a row of {fields} fields, not {}", self.columns.len());
                    return Err(SourceError::Malformed(text));
                }
            };
        }
        Ok(())
    }

    #[inline]
    fn row<'m>(&mut self, fields: &'m [u8]) -> Result<&'m [u8], SourceError> {
        let next_row = self.next_row();
        let mut rest = fields;
        let mut row_bytes = 0;
        for (index, column) in self.columns.iter_mut().enumerate() {
            let (length, after) = split(rest)?;
            rest = match i32::from_be_bytes(*length) {
                NULL => {
                    column.append_null();
                    after
                }
                length => {
                    let length = usize::try_from(length)
                        .map_err(|_| malformed("a field of negative length"))?;
                    let (field, after) = after.split_at_checked(length).ok_or_else(short)?;
                    row_bytes += length;
                    if length > self.limits.cell || row_bytes > self.limits.row + FIXED_BYTES {
                        let name = self.schema.field(index).name();
                        let oversize = self.limits.oversize(name, length, row_bytes);
                        return Err(SourceError::TooLarge(oversize));
                    }
                    if let Err(unfit) = column.append(field) {
                        return Err(unfit.of_column(self.schema.field(index).name(), next_row));
                    }
                    after
                }
            };
        }
        self.rows += 1;
        Ok(rest)
    }

    /// The row that comes next, from 1.
    pub(super) fn next_row(&self) -> u64 {
        self.rows_before + self.rows as u64 + 1
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= self.limits.batch
    }

    /// Bytes of the rows so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows so far, as a batch; the decoder goes on with the next.
    pub(super) fn take(&mut self) -> Result<RecordBatch, SourceError> {
        let before = self.rows_before;
        self.rows_before += self.rows as u64;
        (self.rows, self.bytes) = (0, 0);
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter_mut().enumerate() {
            let array = column.finish();
            let name = self.schema.field(index).name();
            arrays.push(array.map_err(|unfit| unfit.of_column(name, before + 1))?);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| SourceError::Malformed(error.to_string()))
    }

    /// The last rows, if there are any, once nothing more comes. Without the trailer they are not all.
    pub(super) fn finish(mut self) -> Result<Option<RecordBatch>, SourceError> {
        if self.state != State::Ended {
            return Err(malformed("it ends without its trailer"));
        }
        (self.rows > 0).then(|| self.take()).transpose()
    }
}

/// What follows the signature, the flags and the extension of the header.
fn after_header(message: &[u8]) -> Result<&[u8], SourceError> {
    let rest = message
        .strip_prefix(SIGNATURE)
        .ok_or_else(|| malformed("no signature of a binary COPY"))?;
    let (flags, rest) = split(rest)?;
    if u32::from_be_bytes(*flags) & CRITICAL_FLAGS != 0 {
        return Err(malformed("a header with flags that are not known"));
    }
    let (extension, rest) = split(rest)?;
    let extension = usize::try_from(u32::from_be_bytes(*extension)).unwrap_or(usize::MAX);
    rest.get(extension..).ok_or_else(short)
}

#[inline]
fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), SourceError> {
    bytes.split_first_chunk().ok_or_else(short)
}

#[cold]
fn short() -> SourceError {
    malformed("a row that ends too early")
}

fn malformed(text: &str) -> SourceError {
    SourceError::Malformed(text.to_owned())
}

/// What is wrong with a text, whoever finds it.
pub(super) const NO_UTF_8: &str = "text that is no UTF-8";

impl Unfit {
    /// `row` is the one that was read, or the first of the batch.
    fn of_column(self, name: &str, row: u64) -> SourceError {
        let value = |reason: &str, row| SourceError::Value {
            column: name.to_owned(),
            row: Some(row),
            reason: reason.to_owned(),
        };
        match self {
            Self::Value(reason) => value(reason, row),
            Self::Text(index) => value(NO_UTF_8, row + index as u64),
            Self::Form => SourceError::Malformed(format!(
                "a field of column {name} that is not of its type's form"
            )),
        }
    }
}
