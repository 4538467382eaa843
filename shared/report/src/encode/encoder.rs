//! What an encoder is, and what a format says of itself. Below every format, above none.

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::column::Column;

/// The facts about a format that the rest of the service goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatSpec {
    /// The name on the wire and in object keys.
    pub name: &'static str,
    /// The media type as it stands in an Export or a `ReportExport`, and as `Accept` names it.
    pub media_type: &'static str,
    /// The media type as an HTTP header or an object's metadata.
    pub media_type_header: &'static str,
    /// What a file's name ends with, without the dot.
    pub extension: &'static str,
    /// Whether a file is UTF-8 from end to end, so that it can stand in a JSON string as it is.
    pub is_text: bool,
    /// The first version of [`ReportSpec`](crate::spec::ReportSpec) that had the format.
    pub since: i32,
}

/// The options of one format, which stand for the format itself: its row of the table and its encoder.
///
/// They are stored and hashed with the report that they belong to. So an option at its default is not
/// serialised (`skip_serializing_if`), and an unknown one is refused (`deny_unknown_fields`): what asks for
/// nothing new is the same text in every version.
pub trait FormatOptions: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// The format's row of the table.
    const SPEC: FormatSpec;

    /// The newest version of [`ReportSpec`](crate::spec::ReportSpec) that these options may need.
    const NEWEST: i32 = Self::SPEC.since;

    /// Reads the `options` member of a request.
    ///
    /// # Errors
    /// Every member that is none of the format's, or has a wrong value.
    fn parse(members: &Map<String, Value>) -> Result<Self, Vec<OptionFault>> {
        let names = members.keys();
        let faults: Vec<OptionFault> = names.map(|name| OptionFault::unknown(name)).collect();
        match faults.is_empty() {
            true => Ok(Self::default()),
            false => Err(faults),
        }
    }

    /// The lowest version of [`ReportSpec`](crate::spec::ReportSpec) whose programs write the file that these
    /// options ask for: higher than the format's own where one of them, added later, is not at its default.
    fn version(&self) -> i32 {
        Self::SPEC.since
    }

    /// Makes the encoder of one file.
    fn encoder(&self, file: &FileContext<'_>) -> Box<dyn Encoder>;
}

/// A member of a request's `options` that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The member.
    pub name: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl OptionFault {
    fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            detail: "unknown option".to_owned(),
        }
    }
}

/// What one file is made of, beside its rows and its options.
#[derive(Clone, Copy, Debug)]
pub struct FileContext<'a> {
    /// The columns of the batches.
    pub columns: &'a [Column],
    /// The instant of the snapshot.
    pub as_of: DateTime<Utc>,
    /// Whether texts that a spreadsheet may run are marked, where a format is opened by spreadsheets.
    pub formula_guard: bool,
}

/// Facts that a format may write around the rows, known once the rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
///
/// An encoder appends to a buffer that its caller owns and may empty between two calls.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use waybill_report::column::{Column, ColumnKind, ColumnType, arrow_schema};
/// use waybill_report::encode::{Encoder as _, FileContext, FileFormat, Format, Trailer};
///
/// let column = |name: &str, column_type| Column {
///     name: name.to_owned(),
///     kind: ColumnKind::Dimension,
///     column_type,
/// };
/// let columns = [column("city", ColumnType::String), column("people", ColumnType::Integer)];
/// let cities: ArrayRef = Arc::new(StringArray::from(vec!["Zürich", "Genf, GE"]));
/// let people: ArrayRef = Arc::new(Int64Array::from(vec![Some(436_551), None]));
/// let batch = RecordBatch::try_new(arrow_schema(&columns), vec![cities, people])?;
///
/// let file = FileContext { columns: &columns, as_of: chrono::Utc::now(), formula_guard: true };
/// let mut encoder = FileFormat::from(Format::Csv).encoder(&file);
/// let mut out = Vec::new();
/// encoder.begin(&mut out);
/// encoder.write(&batch, &mut out)?;
/// encoder.finish(&Trailer { limit_reached: false, freshness_lag_ms: None }, &mut out)?;
/// assert_eq!(out, "city,people\nZürich,436551\n\"Genf, GE\",\n".as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    ///
    /// # Errors
    /// [`EncodeError`] when the file cannot be ended; what was written is no file then.
    fn finish(&mut self, trailer: &Trailer, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}
