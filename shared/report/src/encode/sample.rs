//! Tables for the tests of every format: any values of the nine types, in any number of batches.
//!
//! It owns how a table becomes batches, with all that Arrow allows there (slices, offsets, remains under
//! a NULL); it knows no file format.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use strum::VariantArray as _;

use super::{Encoder, Trailer};
use crate::column::{Column, ColumnKind, ColumnType, arrow_schema};

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    /// A string, a decimal or a JSON document.
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Microseconds since the Unix epoch.
    Timestamp(i64),
    /// Days since the Unix epoch.
    Date(i32),
    Uuid([u8; 16]),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A result: its columns, its rows and where its batches end.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) batch_rows: usize,
}

impl Table {
    /// The rows as slices of one larger batch, so that no array begins where its buffers do.
    pub(super) fn batches(&self) -> Vec<RecordBatch> {
        let before = self
            .columns
            .iter()
            .map(|column| filler(column.column_type))
            .collect();
        let mut rows = vec![before];
        rows.extend(self.rows.iter().cloned());
        let whole = batch(&self.columns, &rows);
        (1..rows.len())
            .step_by(self.batch_rows)
            .map(|start| whole.slice(start, self.batch_rows.min(rows.len() - start)))
            .collect()
    }

    /// The file that an encoder makes of this table.
    pub(super) fn file(&self, encoder: impl Encoder) -> String {
        file_of(&self.batches(), encoder)
    }

    /// The same file of batches that end elsewhere: at these places, some of them without rows.
    pub(super) fn file_cut_at(&self, places: &[Index], encoder: impl Encoder) -> String {
        let whole = batch(&self.columns, &self.rows);
        let rows = whole.num_rows();
        let mut ends: Vec<usize> = places.iter().map(|place| place.index(rows + 1)).collect();
        ends.push(rows);
        ends.sort_unstable();
        let mut start = 0;
        let batches: Vec<RecordBatch> = ends
            .into_iter()
            .map(|end| {
                let part = whole.slice(start, end - start);
                start = end;
                part
            })
            .collect();
        file_of(&batches, encoder)
    }
}

fn file_of(batches: &[RecordBatch], mut encoder: impl Encoder) -> String {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for batch in batches {
        encoder
            .write(batch, &mut out)
            .expect("the table fits its columns");
    }
    encoder.finish(&TRAILER, &mut out).expect("an end");
    String::from_utf8(out).expect("UTF-8")
}

/// What [`Table::file`] ends with.
pub(super) const TRAILER: Trailer = Trailer {
    limit_reached: false,
    freshness_lag_ms: Some(1500),
};

/// A column of this type, named.
pub(super) fn column(name: &str, column_type: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        kind: ColumnKind::Dimension,
        column_type,
    }
}

/// A table of one column.
pub(super) fn one_column(
    column_type: ColumnType,
    values: impl IntoIterator<Item = Value>,
) -> Table {
    Table {
        columns: vec![column("c", column_type)],
        rows: values.into_iter().map(|value| vec![value]).collect(),
        batch_rows: 2,
    }
}

/// Rows as one batch.
pub(super) fn batch(columns: &[Column], rows: &[Vec<Value>]) -> RecordBatch {
    let arrays = columns.iter().enumerate().map(|(index, column)| {
        let cells: Vec<&Value> = rows.iter().map(|row| &row[index]).collect();
        array(column.column_type, &cells)
    });
    RecordBatch::try_new(arrow_schema(columns), arrays.collect()).expect("arrays of the schema")
}

fn array(column_type: ColumnType, cells: &[&Value]) -> ArrayRef {
    macro_rules! values {
        ($variant:ident) => {
            cells.iter().map(|cell| match cell {
                Value::Null => None,
                Value::$variant(value) => Some(value.clone()),
                other => panic!("{other:?} in a column of {column_type}"),
            })
        };
    }
    match column_type {
        ColumnType::String | ColumnType::Decimal | ColumnType::Json => {
            Arc::new(values!(Text).collect::<StringArray>())
        }
        ColumnType::Integer => Arc::new(values!(Integer).collect::<Int64Array>()),
        ColumnType::Float => Arc::new(values!(Float).collect::<Float64Array>()),
        ColumnType::Boolean => Arc::new(values!(Boolean).collect::<BooleanArray>()),
        ColumnType::Timestamp => Arc::new(
            values!(Timestamp)
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        ColumnType::Date => Arc::new(values!(Date).collect::<Date32Array>()),
        ColumnType::Uuid => Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(values!(Uuid), 16)
                .expect("16 bytes each"),
        ),
    }
}

/// A value that changes a file if it shows up there.
fn filler(column_type: ColumnType) -> Value {
    match column_type {
        ColumnType::String => "\"filler,\n".into(),
        ColumnType::Decimal => "77".into(),
        ColumnType::Json => "\"filler\"".into(),
        ColumnType::Integer => Value::Integer(77),
        ColumnType::Float => Value::Float(77.0),
        ColumnType::Boolean => Value::Boolean(true),
        ColumnType::Timestamp => Value::Timestamp(77),
        ColumnType::Date => Value::Date(77),
        ColumnType::Uuid => Value::Uuid([7; 16]),
    }
}

/// Any table of one to nine columns, empty ones included, of any names.
pub(super) fn tables() -> impl Strategy<Value = Table> {
    let column_type = proptest::sample::select(ColumnType::VARIANTS);
    let name = prop_oneof![2 => Just("column".to_owned()), 1 => hostile_text()];
    let described = (column_type, name);
    prop_oneof![1 => vec(described.clone(), 1), 3 => vec(described, 2..=9)]
        .prop_flat_map(|columns| {
            let row: Vec<_> = columns
                .iter()
                .map(|(column_type, _)| cell(*column_type))
                .collect();
            (Just(columns), vec(row, 0..24), 1..10usize)
        })
        .prop_map(|(columns, rows, batch_rows)| Table {
            // With a number in front no two are the same, and none begins with a byte order mark.
            columns: (0..)
                .zip(columns)
                .map(|(number, (column_type, name))| {
                    column(&format!("{number}{name}"), column_type)
                })
                .collect(),
            rows,
            batch_rows,
        })
}

fn cell(column_type: ColumnType) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 4 => value(column_type)].boxed()
}

fn value(column_type: ColumnType) -> BoxedStrategy<Value> {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
    match column_type {
        ColumnType::String => hostile_text().prop_map(Value::Text).boxed(),
        ColumnType::Decimal => prop_oneof![
            "-?(0|[1-9][0-9]{0,39})(\\.[0-9]{1,40})?",
            proptest::sample::select(&["NaN", "Infinity", "-Infinity"][..]).prop_map(str::to_owned),
        ]
        .prop_map(Value::Text)
        .boxed(),
        ColumnType::Json => (hostile_text(), hostile_text(), any::<i64>())
            .prop_map(|(key, text, n)| {
                serde_json::json!({ key: [text, n, null, true] }).to_string()
            })
            .prop_map(Value::Text)
            .boxed(),
        ColumnType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        ColumnType::Float => any::<u64>()
            .prop_map(|bits| Value::Float(f64::from_bits(bits)))
            .boxed(),
        ColumnType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        ColumnType::Timestamp => (DAYS, 0..MICROS_PER_DAY)
            .prop_map(|(day, micros)| Value::Timestamp(i64::from(day) * MICROS_PER_DAY + micros))
            .boxed(),
        ColumnType::Date => DAYS.prop_map(Value::Date).boxed(),
        ColumnType::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
    }
}

/// Text as users write it: every character that a format treats specially, at every place, in lengths on
/// both sides of every short cut that an encoder takes.
fn hostile_text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[ab ,;\"'\r\n\t=+@\\\\\\-\u{0}\u{1f}\u{7f}\u{a0}\u{feff}\u{2028}\u{3000}＝－＠é漢🦀]{0,12}",
        1 => "[ \u{feff}\u{a0}\u{3000}\u{b}]{0,3}[=+@＝＋－＠\t\r\na漢（\\-][a,]{0,3}",
        2 => "[a-z]{0,70}",
        2 => "[a-z]{20,40}[,\"\r\n]?[a-z]{0,12}",
        1 => "\\PC{0,40}",
    ]
    .boxed()
}
