//! JSON: the result of a report as one document.
//!
//! It owns the layout of that document. It knows neither where batches
//! come from nor where bytes go, and it never holds more than the row that it writes.

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::encoder::{EncodeError, Encoder, FileContext, FormatOptions, FormatSpec, Trailer};
use super::json_rows::{JsonRows, write_integer};
use super::temporal::write_timestamp;
use crate::column::Column;

/// The options of JSON: none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonOptions {}

impl FormatOptions for JsonOptions {
    const SPEC: FormatSpec = FormatSpec {
        name: "json",
        media_type: "application/json",
        media_type_header: "application/json",
        extension: "json",
        is_text: true,
        since: 1,
    };

    fn encoder(&self, file: &FileContext<'_>) -> Box<dyn Encoder> {
        Box::new(JsonEncoder::new(file.columns, file.as_of))
    }
}

/// Writes the document that `run_report_query` answers, without white space:
/// `{"as_of":…,"columns":[{"name","kind","type"},…],"rows":[{…},…],"limit_reached":…,"freshness_lag_ms":…}`.
/// What is known only after the last row stands after the rows; an unknown `freshness_lag_ms` is absent.
///
/// The rows are objects with a member for each column, in their order; [NDJSON](super::ndjson::NdjsonEncoder) has
/// the same.
///
/// | value | JSON |
/// |---|---|
/// | NULL | `null` |
/// | string | a string |
/// | integer | a number with every digit |
/// | float | a number, laid out as in [CSV](super::csv::CsvEncoder); NaN and infinities are `null` |
/// | decimal | a number with every digit of the text; NaN and infinities are `null` |
/// | boolean | `true`, `false` |
/// | timestamp, date, UUID | a string, the text as in CSV |
/// | JSON | the document itself |
#[derive(Debug)]
pub struct JsonEncoder {
    rows: JsonRows,
    as_of: DateTime<Utc>,
}

impl JsonEncoder {
    /// An encoder of a result read at `as_of`, which is written to the microsecond, the rest cut off.
    #[must_use]
    pub fn new(columns: &[Column], as_of: DateTime<Utc>) -> Self {
        Self {
            rows: JsonRows::new(columns, b",", b""),
            as_of,
        }
    }
}

impl Encoder for JsonEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"as_of\":\"");
        write_timestamp(self.as_of.timestamp_micros(), out);
        out.extend_from_slice(b"\",\"columns\":");
        serde_json::to_writer(&mut *out, self.rows.columns())
            .expect("names of columns are valid JSON strings");
        out.extend_from_slice(b",\"rows\":[");
    }

    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.rows.write(batch, out)
    }

    fn finish(&mut self, trailer: &Trailer, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(b"],\"limit_reached\":");
        out.extend_from_slice(if trailer.limit_reached {
            b"true"
        } else {
            b"false"
        });
        if let Some(lag) = trailer.freshness_lag_ms {
            out.extend_from_slice(b",\"freshness_lag_ms\":");
            write_integer(lag, out);
        }
        out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests;
