//! The rows of a report as JSON objects, and what a value becomes in JSON.
//!
//! It never holds more than the row that it writes. What stands around the rows is their format's.

use arrow_array::RecordBatch;

use super::cells::{Cells, Values, cells, write_uuid};
use super::encoder::EncodeError;
use super::float;
use super::temporal::{write_date, write_timestamp};
use crate::column::Column;

const NOT_A_DECIMAL: &str = "the text is not a decimal number";

/// Writes rows: an object each, with a member for each column in their order.
#[derive(Debug)]
pub(super) struct JsonRows {
    columns: Vec<Column>,
    /// What stands before each value of a row: `{"first":`, then `,"second":` …
    keys: Vec<Vec<u8>>,
    /// What stands between two rows.
    between: &'static [u8],
    /// What stands after each row.
    after: &'static [u8],
    /// So many were begun.
    rows: u64,
}

impl JsonRows {
    /// Rows with one text between every two of them and another one after each.
    pub(super) fn new(columns: &[Column], between: &'static [u8], after: &'static [u8]) -> Self {
        let keys = columns.iter().enumerate().map(|(index, column)| {
            let mut key = vec![if index == 0 { b'{' } else { b',' }];
            write_string(&column.name, &mut key);
            key.push(b':');
            key
        });
        Self {
            keys: keys.collect(),
            columns: columns.to_vec(),
            between,
            after,
            rows: 0,
        }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Appends the rows of a batch.
    pub(super) fn write(
        &mut self,
        batch: &RecordBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let columns = cells(&self.columns, batch)?;
        let row_size: usize = self.keys.iter().map(|key| key.len() + 2).sum();
        out.reserve(
            columns.iter().map(Cells::text_size).sum::<usize>() + row_size * batch.num_rows(),
        );
        for row in 0..batch.num_rows() {
            if self.rows > 0 {
                out.extend_from_slice(self.between);
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
            out.extend_from_slice(self.after);
        }
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

pub(super) fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a decimal's text as a JSON number. Databases also print and accept what RFC 8259 does not
/// (`+1`, `007`, `.5`, `5.`): the sign and the zeros change, no digit that counts does.
pub(super) fn write_decimal(text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
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
