//! From record batches to the bytes of a file.
//!
//! An encoder knows its format and nothing of where batches come from or where bytes go. It appends
//! to a buffer that the caller owns, so that one buffer serves a whole export.

mod cells;
pub mod csv;
mod float;
pub mod json;
#[cfg(test)]
mod sample;
mod slices;
mod temporal;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::column::Column;

pub use self::slices::slices;

/// A file format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// RFC 4180 with a header row; see [`csv::CsvEncoder`].
    #[default]
    Csv,
    /// One JSON document, the result of the report; see [`json::JsonEncoder`].
    Json,
}

impl Format {
    /// Every format that can be asked for.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Json];

    /// The name on the wire, which is also the file's extension.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The media type as it stands in an Export or a `ReportExport`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }

    /// The media type as an HTTP header or an object's metadata.
    #[must_use]
    pub fn content_type_header(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Facts that a format may write around the rows, known once the rows are read.
#[derive(Clone, Debug)]
pub struct Trailer {
    /// Whether the number of rows equals the query's limit.
    pub limit_reached: bool,
    /// Milliseconds between the newest source row and the moment of the answer; absent when unknown.
    pub freshness_lag_ms: Option<i64>,
}

/// Why a batch could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The batch is not of the schema that the encoder was made for: a fault of the source.
    #[error("column {column}: expected Arrow type {expected}, got {actual}")]
    SchemaMismatch {
        /// The column's name.
        column: String,
        /// What [`crate::column::ColumnType::arrow`] says.
        expected: String,
        /// What the batch holds.
        actual: String,
    },
    /// A value has no representation in the file format, for example a decimal that is no number.
    #[error("column {column}, row {row}: {reason}")]
    Unrepresentable {
        /// The column's name.
        column: String,
        /// The row of the file, from 1.
        row: u64,
        /// What is wrong with the value, without the value.
        reason: &'static str,
    },
}

/// Writes one file: [`begin`](Encoder::begin) once, [`write`](Encoder::write) for each batch in
/// order, [`finish`](Encoder::finish) once. A file without `finish` is not a file.
pub trait Encoder: Send {
    /// Appends what stands before the first row (a CSV's header row, even when no row follows).
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Appends the rows of one batch.
    ///
    /// # Errors
    /// [`EncodeError`] when the batch is not of the promised schema or holds a value that the format
    /// cannot express. What was appended before the error is no valid part of a file.
    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Appends what stands after the last row.
    fn finish(&mut self, trailer: &Trailer, out: &mut Vec<u8>);
}

/// The encoder of a format for these columns; without the formula guard, where a format has one, every
/// string stands as the source has it.
#[must_use]
pub fn encoder(
    format: Format,
    columns: &[Column],
    as_of: chrono::DateTime<chrono::Utc>,
    formula_guard: bool,
) -> Box<dyn Encoder> {
    match format {
        Format::Csv => Box::new(csv::CsvEncoder::with_formula_guard(columns, formula_guard)),
        Format::Json => Box::new(json::JsonEncoder::new(columns, as_of)),
    }
}
