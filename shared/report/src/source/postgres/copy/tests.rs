//! Streams that are whole, and streams that are not.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::*;
use crate::column::{ColumnKind, ColumnType};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: &[u8] = b"\xff\xff";
const ROW: &[u8] = b"\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0\0\x01x";
const NULLS: &[u8] = b"\0\x02\xff\xff\xff\xff\xff\xff\xff\xff";

fn decoder() -> CopyDecoder {
    let column = |name: &str, column_type| Column {
        name: name.to_owned(),
        kind: ColumnKind::Dimension,
        column_type,
    };
    let columns = [
        column("i", ColumnType::Integer),
        column("s", ColumnType::String),
    ];
    CopyDecoder::new(&columns, SizeLimits::of_export(1 << 20), |_| false)
}

fn decoded(messages: &[&[u8]]) -> Result<Option<RecordBatch>, SourceError> {
    let mut decoder = decoder();
    for message in messages {
        decoder.push(message)?;
    }
    decoder.finish()
}

#[test]
fn a_whole_stream_gives_its_rows() {
    let first = [HEADER, ROW].concat();
    let batch = decoded(&[&first, NULLS, ROW, END]).expect("whole");
    let batch = batch.expect("rows");
    let integers = batch.column(0).as_primitive::<Int64Type>();
    assert_eq!(
        integers.iter().collect::<Vec<_>>(),
        [Some(7), None, Some(7)]
    );
    let texts = batch.column(1).as_string::<i32>();
    assert_eq!(
        texts.iter().collect::<Vec<_>>(),
        [Some("x"), None, Some("x")]
    );

    let extended = [&HEADER[..15], &b"\0\0\0\x03abc"[..], ROW].concat();
    let batch = decoded(&[&extended, END]).expect("whole");
    assert_eq!(batch.map(|batch| batch.num_rows()), Some(1));
    assert_eq!(decoded(&[HEADER, END]).expect("whole"), None);
}

#[test]
fn a_stream_that_ends_anywhere_else_is_an_error() {
    let whole = [HEADER, ROW, NULLS, END].concat();
    decoded(&[&whole]).expect("whole");
    for length in 0..whole.len() {
        let ended = decoded(&[&whole[..length]]);
        assert!(matches!(ended, Err(SourceError::Malformed(_))), "{length}");
    }
    assert!(decoded(&[]).is_err());
}

#[test]
fn what_is_no_row_is_an_error() {
    for wrong in [
        &b"\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07"[..],
        b"\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xfe",
        b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01x",
        b"\0\x02\xff\xff\xff\xfe\xff\xff\xff\xff",
        b"\0\x02\x7f\xff\xff\xff\xff\xff\xff\xff",
        &[ROW, b"\0"].concat(),
        &[END, ROW].concat(),
    ] {
        let ended = decoded(&[HEADER, wrong, END]);
        assert!(matches!(ended, Err(SourceError::Malformed(_))), "{wrong:?}");
    }
    let flags = [&HEADER[..11], &b"\0\x01\0\0\0\0\0\0"[..]].concat();
    for wrong in [&flags, &b"id,name\n"[..], &b"PGCOPY\n\xff\n\0"[..]] {
        assert!(decoded(&[wrong, END]).is_err(), "{wrong:?}");
    }
}

#[test]
fn text_must_be_utf_8() {
    // Each is half of a character, and only together they would be one.
    let halves: [&[u8]; 2] = [
        b"\0\x02\xff\xff\xff\xff\0\0\0\x01\xc3",
        b"\0\x02\xff\xff\xff\xff\0\0\0\x01\xa9",
    ];
    let ended = decoded(&[HEADER, halves[0], halves[1], END]);
    assert!(matches!(ended, Err(SourceError::Value { column, row: Some(1), .. }) if column == "s"));
}
