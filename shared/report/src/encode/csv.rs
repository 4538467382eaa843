//! CSV after RFC 4180, the format that most exports have.
//!
//! It owns quoting, the difference between NULL and the empty string, and the formula guard. It knows
//! neither where batches come from nor where bytes go, and it never looks back at what it wrote.

use arrow_array::{Array, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Values, cells, write_uuid};
use super::encoder::{EncodeError, Encoder, FileContext, FormatOptions, FormatSpec, Trailer};
use super::float;
use super::temporal::{write_date, write_timestamp};
use crate::column::Column;

/// The options of CSV: none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {}

impl FormatOptions for CsvOptions {
    const SPEC: FormatSpec = FormatSpec {
        name: "csv",
        media_type: "text/csv",
        media_type_header: "text/csv; charset=utf-8",
        extension: "csv",
        is_text: true,
        since: 1,
    };

    fn encoder(&self, file: &FileContext<'_>) -> Box<dyn Encoder> {
        Box::new(CsvEncoder::with_formula_guard(
            file.columns,
            file.formula_guard,
        ))
    }
}

/// Writes CSV: UTF-8, commas, `\n` line ends, a header row of the column names.
///
/// | value | cell |
/// |---|---|
/// | NULL | empty; in a one-column file `""`, because readers skip blank lines |
/// | string, decimal, JSON | its text, quoted only if it holds a comma, a double quote, CR or LF; the empty text is `""`; in a one-column file `\.` is quoted too, because `PostgreSQL`'s `COPY FROM` would end there |
/// | integer | every digit |
/// | float | the shortest digits that read back the same, as `PostgreSQL` lays them out (`5000`, `1e-05`, `1e+15`); `NaN`, `Infinity`, `-Infinity` |
/// | boolean | `true`, `false` |
/// | timestamp | RFC 3339 in UTC, only the fractional digits that are needed (`2026-04-24T00:00:00.5Z`); outside the years 0001 to 9999 as `PostgreSQL` writes it in UTC (`15000-01-01 00:00:00+00`, `0044-03-15 00:00:00+00 BC`, `infinity`, `-infinity`) |
/// | date | `YYYY-MM-DD`; outside the years 0001 to 9999 as `PostgreSQL` writes it (`15000-01-01`, `0044-03-15 BC`, `infinity`, `-infinity`) |
/// | UUID | hyphenated, lower case |
///
/// The formula guard puts a `'` before a **string** that a spreadsheet may run instead of showing it: one that
/// starts with `=`, `+`, `-`, `@` or their full-width forms `＝`, `＋`, `－`, `＠`, also behind white space and
/// U+FEFF, which readers trim; and one with a TAB, CR or LF before its first other character. No other type and
/// no header cell is ever changed. Where a reader ends cells elsewhere (at another delimiter, at a line end
/// within quotes), what it takes for the start of a cell is not guarded.
#[derive(Debug)]
pub struct CsvEncoder {
    columns: Vec<Column>,
    formula_guard: bool,
}

impl CsvEncoder {
    /// An encoder with the formula guard on.
    #[must_use]
    pub fn new(columns: &[Column]) -> Self {
        Self::with_formula_guard(columns, true)
    }

    /// An encoder with the formula guard on or off; off, every string stands as the source has it.
    #[must_use]
    pub fn with_formula_guard(columns: &[Column], formula_guard: bool) -> Self {
        Self {
            columns: columns.to_vec(),
            formula_guard,
        }
    }
}

impl Encoder for CsvEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let name = column.name.as_bytes();
            if name.is_empty() || needs_quotes(name) {
                write_quoted(false, name, out);
            } else {
                out.extend_from_slice(name);
            }
        }
        out.push(b'\n');
    }

    fn write(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let columns = cells(&self.columns, batch)?;
        out.reserve(
            columns
                .iter()
                .map(|cells| cells.text_size() + batch.num_rows())
                .sum(),
        );
        let alone = columns.len() == 1;
        let columns: Vec<_> = columns
            .into_iter()
            .map(|cells| CsvCells::new(cells, alone))
            .collect();
        let null: &[u8] = if alone { b"\"\"" } else { b"" };
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if column.cells.is_null(row) {
                    out.extend_from_slice(null);
                } else {
                    self.write_value(column, row, out);
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _trailer: &Trailer, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl CsvEncoder {
    #[inline]
    fn write_value(&self, column: &CsvCells<'_>, row: usize, out: &mut Vec<u8>) {
        match column.cells.values {
            Values::String(texts) => {
                let guard = self.formula_guard && starts_formula(texts.value(row));
                column.write_text(guard, texts, row, out);
            }
            Values::Decimal(texts) | Values::Json(texts) => {
                column.write_text(false, texts, row, out);
            }
            Values::Integer(values) => {
                out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes());
            }
            Values::Float(values) => write_float(values[row], out),
            Values::Boolean(values) if values.value(row) => out.extend_from_slice(b"true"),
            Values::Boolean(_) => out.extend_from_slice(b"false"),
            Values::Timestamp(values) => write_timestamp(values[row], out),
            Values::Date(values) => write_date(values[row], out),
            Values::Uuid(values) => write_uuid(values.value(row), out),
        }
    }
}

/// A column of a batch, with what is worth finding out once for all its cells.
struct CsvCells<'a> {
    cells: Cells<'a>,
    /// No text of the column needs quotes for what it holds. So it is with most columns, and one look at all
    /// the bytes is far cheaper than one at each cell's.
    plain: bool,
    /// It is the only column: its cell is the whole line.
    alone: bool,
}

impl<'a> CsvCells<'a> {
    fn new(cells: Cells<'a>, alone: bool) -> Self {
        let plain = match cells.values {
            Values::String(texts) | Values::Decimal(texts) | Values::Json(texts) => {
                let offsets = texts.value_offsets();
                !needs_quotes(
                    &texts.value_data()[offsets[0] as usize..offsets[texts.len()] as usize],
                )
            }
            _ => true,
        };
        Self {
            cells,
            plain,
            alone,
        }
    }

    #[inline]
    fn write_text(&self, guard: bool, texts: &StringArray, row: usize, out: &mut Vec<u8>) {
        let text = texts.value(row).as_bytes();
        let ends_copy = self.alone && text == END_OF_COPY;
        if text.is_empty() || ends_copy || !self.plain && needs_quotes(text) {
            write_quoted(guard, text, out);
            return;
        }
        if guard {
            out.push(b'\'');
        }
        // A copy of constant length is a few instructions, one of variable length a call: a short text is
        // copied with whatever follows it in the array, which is cut off again.
        let start = texts.value_offsets()[row] as usize;
        match texts.value_data()[start..].first_chunk::<SHORT>() {
            Some(window) if text.len() <= SHORT => {
                let end = out.len() + text.len();
                out.extend_from_slice(window);
                out.truncate(end);
            }
            _ => out.extend_from_slice(text),
        }
    }
}

/// A line that `COPY FROM` of PostgreSQL up to 16 takes for the end of the data, unless it is quoted.
const END_OF_COPY: &[u8] = b"\\.";

/// Texts of up to this many bytes are copied as one block.
const SHORT: usize = 32;

/// Whether a spreadsheet may take this cell for a formula. Most cells are settled by their first byte.
#[inline]
fn starts_formula(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n') => true,
        // White space, or the first byte of a character that is white space, U+FEFF or a full-width form.
        Some(b' ' | 0x0b | 0x0c | 0xc2 | 0xe1..=0xe3 | 0xef) => starts_formula_inside(text),
        _ => false,
    }
}

/// As [`starts_formula`], character by character past what readers trim.
fn starts_formula_inside(text: &str) -> bool {
    for character in text.chars() {
        match character {
            '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r' | '\n' => {
                return true;
            }
            '\u{feff}' => {}
            blank if blank.is_whitespace() => {}
            _ => return false,
        }
    }
    false
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        float::write_finite(value, out);
    } else if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if value > 0.0 {
            b"Infinity"
        } else {
            b"-Infinity"
        });
    }
}

/// Appends a text in quotes, its own quotes doubled. A guard needs no quotes, so it never decides on them.
fn write_quoted(guard: bool, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if guard { b"\"'" } else { b"\"" });
    // In pieces, for which twice the room is little.
    for piece in text.chunks(PIECE) {
        // Without a branch on the byte: a quote is written behind every one, and kept behind a quote.
        let mut end = out.len();
        out.resize(end + 2 * piece.len(), 0);
        for byte in piece {
            out[end..end + 2].copy_from_slice(&[*byte, b'"']);
            end += 1 + usize::from(*byte == b'"');
        }
        out.truncate(end);
    }
    out.push(b'"');
}

/// Texts in quotes are written so many bytes at a time.
const PIECE: usize = 16 * 1024;

/// Whether a reader would take a byte of this text for a delimiter, a quote or the end of a record. To the
/// end in any case: without a way out in the middle the compiler compares many bytes at once.
fn needs_quotes(text: &[u8]) -> bool {
    text.iter().fold(false, |found, byte| {
        found | matches!(byte, b',' | b'"' | b'\r' | b'\n')
    })
}

#[cfg(test)]
mod tests;
