//! JSON: the result of a report as one document.
//!
//! It owns the layout of that document and what a value becomes in JSON. It knows neither where batches
//! come from nor where bytes go, and it never holds more than the row that it writes.

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Values, cells, write_uuid};
use super::encoder::{EncodeError, Encoder, FileContext, FormatOptions, FormatSpec, Trailer};
use super::float;
use super::temporal::{write_date, write_timestamp};
use crate::column::Column;

const NOT_A_DECIMAL: &str = "the text is not a decimal number";

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
/// A row is an object with a member for each column, in their order:
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
    columns: Vec<Column>,
    /// What stands before each value of a row: `{"first":`, then `,"second":` …
    keys: Vec<Vec<u8>>,
    as_of: DateTime<Utc>,
    /// So many were begun.
    rows: u64,
}

impl JsonEncoder {
    /// An encoder of a result read at `as_of`, which is written to the microsecond, the rest cut off.
    #[must_use]
    pub fn new(columns: &[Column], as_of: DateTime<Utc>) -> Self {
        let keys = columns.iter().enumerate().map(|(index, column)| {
            let mut key = vec![if index == 0 { b'{' } else { b',' }];
            write_string(&column.name, &mut key);
            key.push(b':');
            key
        });
        Self {
            keys: keys.collect(),
            columns: columns.to_vec(),
            as_of,
            rows: 0,
        }
    }
}

impl Encoder for JsonEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"as_of\":\"");
        write_timestamp(self.as_of.timestamp_micros(), out);
        out.extend_from_slice(b"\",\"columns\":");
        serde_json::to_writer(&mut *out, &self.columns)
            .expect("names of columns are valid JSON strings");
        out.extend_from_slice(b",\"rows\":[");
    }

    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let columns = cells(&self.columns, batch)?;
        let row_size: usize = self.keys.iter().map(|key| key.len() + 2).sum();
        out.reserve(
            columns.iter().map(Cells::text_size).sum::<usize>() + row_size * batch.num_rows(),
        );
        for row in 0..batch.num_rows() {
            if self.rows > 0 {
                out.push(b',');
            }
            self.rows += 1;
            for (index, column) in columns.iter().enumerate() {
                out.extend_from_slice(&self.keys[index]);
                if column.is_null(row) {
                    out.extend_from_slice(b"null");
                } else {
                    write_value(&column.values, row, out).map_err(|reason| {
                        EncodeError::Unrepresentable {
                            column: self.columns[index].name.clone(),
                            row: self.rows,
                            reason,
                        }
                    })?;
                }
            }
            out.extend_from_slice(if columns.is_empty() { b"{}" } else { b"}" });
        }
        Ok(())
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

fn write_value(values: &Values<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match values {
        Values::String(texts) => write_string(texts.value(row), out),
        Values::Integer(values) => write_integer(values[row], out),
        Values::Float(values) if values[row].is_finite() => float::write_finite(values[row], out),
        Values::Float(_) => out.extend_from_slice(b"null"),
        Values::Decimal(texts) => write_decimal(texts.value(row), out)?,
        Values::Boolean(values) if values.value(row) => out.extend_from_slice(b"true"),
        Values::Boolean(_) => out.extend_from_slice(b"false"),
        Values::Timestamp(values) => {
            out.push(b'"');
            write_timestamp(values[row], out);
            out.push(b'"');
        }
        Values::Date(values) => {
            out.push(b'"');
            write_date(values[row], out);
            out.push(b'"');
        }
        Values::Uuid(values) => {
            out.push(b'"');
            write_uuid(values.value(row), out);
            out.push(b'"');
        }
        // The source promises a compact document; to parse it again would cost more than the rest of the row.
        Values::Json(texts) => out.extend_from_slice(texts.value(row).as_bytes()),
    }
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text)
        .expect("every string is a JSON string and a Vec takes every byte");
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a decimal's text as a JSON number. Databases also print and accept what RFC 8259 does not
/// (`+1`, `007`, `.5`, `5.`): the sign and the zeros change, no digit that counts does.
fn write_decimal(text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let (sign, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        [b'+', rest @ ..] => (&b""[..], rest),
        rest => (&b""[..], rest),
    };
    if matches!(unsigned, b"NaN" | b"Infinity") {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let (whole, rest) = split_digits(unsigned);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest),
        _ => (&b""[..], rest),
    };
    let exponent = match rest {
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => Some(digits),
        _ => None,
    };
    let exponent_is_legal = exponent.map_or(rest.is_empty(), |digits| {
        !digits.is_empty() && all_digits(digits)
    });
    if !exponent_is_legal || (whole.is_empty() && fraction.is_empty()) {
        return Err(NOT_A_DECIMAL);
    }

    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    let whole = &whole[zeros..];
    out.extend_from_slice(sign);
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The decimal digits that a text begins with, and what follows them.
fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn all_digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
