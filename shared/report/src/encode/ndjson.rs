//! NDJSON: one JSON object a line, for readers that take a file row by row.
//!
//! It owns what stands around the objects, which is little; they are those of [JSON](super::json).

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::encoder::{EncodeError, Encoder, FileContext, FormatOptions, FormatSpec, Trailer};
use super::json_rows::JsonRows;
use crate::column::Column;

/// The options of NDJSON: none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NdjsonOptions {}

impl FormatOptions for NdjsonOptions {
    const SPEC: FormatSpec = FormatSpec {
        name: "ndjson",
        media_type: "application/x-ndjson",
        media_type_header: "application/x-ndjson",
        extension: "ndjson",
        is_text: true,
        since: 2,
    };

    fn encoder(&self, file: &FileContext<'_>) -> Box<dyn Encoder> {
        Box::new(NdjsonEncoder::new(file.columns))
    }
}

/// Writes a line for each row: a JSON object without white space, its members in the order of the columns and its
/// values as [`JsonEncoder`](super::json::JsonEncoder) writes them, and `\n`. A result without rows is an empty file.
#[derive(Debug)]
pub struct NdjsonEncoder {
    rows: JsonRows,
}

impl NdjsonEncoder {
    /// An encoder of a result with these columns.
    #[must_use]
    pub fn new(columns: &[Column]) -> Self {
        Self {
            rows: JsonRows::new(columns, b"", b"\n"),
        }
    }
}

impl Encoder for NdjsonEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.rows.write(batch, out)
    }

    fn finish(&mut self, _trailer: &Trailer, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::super::json::JsonEncoder;
    use super::super::sample::{Value, column, one_column, tables};
    use super::*;
    use crate::column::ColumnType;

    #[test]
    fn a_row_is_a_line_and_no_row_is_none() {
        let mut table = one_column(
            ColumnType::String,
            ["one\ntwo\u{2028}".into(), Value::Null, "".into()],
        );
        let file = table.file(NdjsonEncoder::new(&table.columns));
        assert_eq!(
            file,
            "{\"c\":\"one\\ntwo\u{2028}\"}\n{\"c\":null}\n{\"c\":\"\"}\n"
        );
        table.columns = vec![column("a\"b", ColumnType::Integer)];
        table.rows = vec![vec![Value::Integer(i64::MIN)]];
        let file = table.file(NdjsonEncoder::new(&table.columns));
        assert_eq!(file, "{\"a\\\"b\":-9223372036854775808}\n");
        table.rows.clear();
        assert_eq!(table.file(NdjsonEncoder::new(&table.columns)), "");
    }

    proptest! {
        #[test]
        fn the_lines_are_the_rows_of_the_document(table in tables()) {
            let file = table.file(NdjsonEncoder::new(&table.columns));
            let document = table.file(JsonEncoder::new(&table.columns, DateTime::UNIX_EPOCH));
            let lines: Vec<&str> = file.lines().collect();
            prop_assert_eq!(lines.len(), table.rows.len());
            let rows = format!("\"rows\":[{}],\"limit_reached\"", lines.join(","));
            prop_assert!(document.contains(&rows), "{} is not in {}", rows, document);
            for line in lines {
                prop_assert!(serde_json::from_str::<Json>(line).is_ok_and(|row| row.is_object()));
            }
        }
    }
}
