use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{Field, Schema};
use chrono::{DateTime, NaiveDate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use strum::VariantArray as _;

use super::super::sample::{Table, Value, batch, column, one_column, tables};
use super::*;
use crate::column::ColumnType;

/// A cell as a strict reader of RFC 4180 sees it.
#[derive(Debug, PartialEq)]
struct Field4180 {
    text: String,
    quoted: bool,
}

/// Splits a file with `\n` line ends by the grammar of RFC 4180 alone; whatever the grammar does not allow is
/// a panic.
fn split(file: &str) -> Vec<Vec<Field4180>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut rest = file.chars().peekable();
    while rest.peek().is_some() {
        let mut text = String::new();
        let quoted = rest.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match rest.next().expect("the closing quote") {
                    '"' if rest.next_if_eq(&'"').is_none() => break,
                    character => text.push(character),
                }
            }
        } else {
            while let Some(character) = rest.next_if(|next| !matches!(next, ',' | '\n')) {
                assert!(
                    !matches!(character, '"' | '\r'),
                    "a bare {character:?} in {file:?}"
                );
                text.push(character);
            }
        }
        record.push(Field4180 { text, quoted });
        match rest.next() {
            Some(',') => assert!(rest.peek().is_some(), "the file ends within a record"),
            Some('\n') => records.push(std::mem::take(&mut record)),
            other => panic!("{other:?} after a field of {file:?}"),
        }
    }
    assert!(record.is_empty(), "the last record has no line end");
    records
}

/// The lines after the header of a file with one column.
fn cells_of(column_type: ColumnType, values: impl IntoIterator<Item = Value>) -> Vec<String> {
    let table = one_column(column_type, values);
    let file = table.file(CsvEncoder::new(&table.columns));
    let body = file.strip_prefix("c\n").expect("the header");
    body.split_terminator('\n').map(str::to_owned).collect()
}

fn file(table: &Table) -> String {
    table.file(CsvEncoder::new(&table.columns))
}

#[test]
fn every_type_has_its_notation() {
    let table = Table {
        columns: ColumnType::VARIANTS
            .iter()
            .map(|column_type| column(column_type.name(), *column_type))
            .collect(),
        rows: vec![
            vec![
                "plain".into(),
                Value::Integer(-42),
                Value::Float(5000.0),
                "12.50".into(),
                Value::Boolean(true),
                Value::Timestamp(1_776_988_800_500_000),
                Value::Date(20_567),
                Value::Uuid(*b"\x01\x93\xAB\xCD\0\0\x70\0\x80\0\0\0\0\0\0\xFF"),
                r#"{"a":[1,2]}"#.into(),
            ],
            vec![Value::Null; 9],
        ],
        batch_rows: 8,
    };
    assert_eq!(
        file(&table),
        "string,integer,float,decimal,boolean,timestamp,date,uuid,json\n\
         plain,-42,5000,12.50,true,2026-04-24T00:00:00.5Z,2026-04-24,0193abcd-0000-7000-8000-0000000000ff,\
         \"{\"\"a\"\":[1,2]}\"\n\
         ,,,,,,,,\n"
    );
}

#[test]
fn strings_are_quoted_only_where_a_reader_needs_it() {
    let columns = vec![
        column("a", ColumnType::String),
        column("b", ColumnType::String),
    ];
    for (text, cell) in [
        ("", "\"\""),
        (" ", " "),
        (" both ends ", " both ends "),
        ("it's; a | b", "it's; a | b"),
        ("Zürich 漢字 🦀", "Zürich 漢字 🦀"),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("\"", "\"\"\"\""),
        ("two\nlines", "\"two\nlines\""),
        ("two\r\nlines", "\"two\r\nlines\""),
        ("lone\rreturn", "\"lone\rreturn\""),
        ("a tab\tstays", "a tab\tstays"),
        ("NULL", "NULL"),
    ] {
        // Alone in its batch, beside one that needs quotes, and beside one that does not.
        for neighbour in [None, Some((",", "\",\"")), Some(("x", "x"))] {
            let mut rows = vec![vec![text.into(), "end".into()]];
            let mut expected = format!("a,b\n{cell},end\n");
            if let Some((text, cell)) = neighbour {
                rows.push(vec![text.into(), "end".into()]);
                expected += &format!("{cell},end\n");
            }
            let table = Table {
                columns: columns.clone(),
                rows,
                batch_rows: 8,
            };
            assert_eq!(file(&table), expected);
        }
    }
}

#[test]
fn text_of_every_length_is_whole() {
    // Around the length at which the copy changes, plain and with each special byte at its last place.
    let texts = (0..100).flat_map(|length| {
        let plain = "x".repeat(length);
        [",", "\"", "\r", "\n", ""].map(|end| format!("{plain}{end}"))
    });
    let table = one_column(ColumnType::String, texts.clone().map(Value::Text));
    let read = split(&file(&table));
    let read: Vec<_> = read
        .into_iter()
        .skip(1)
        .map(|mut record| record.remove(0).text)
        .collect();
    // Of the guard's characters CR and LF can stand first here, in the texts of length 1.
    let expected: Vec<_> = texts
        .map(|text| {
            if starts_formula(&text) {
                format!("'{text}")
            } else {
                text
            }
        })
        .collect();
    assert_eq!(read, expected);
}

#[test]
fn null_is_nothing_and_the_empty_string_is_quoted() {
    let table = Table {
        columns: vec![
            column("a", ColumnType::String),
            column("b", ColumnType::Integer),
        ],
        rows: vec![
            vec![Value::Null, Value::Integer(1)],
            vec!["".into(), Value::Null],
            vec![Value::Null, Value::Null],
        ],
        batch_rows: 8,
    };
    assert_eq!(file(&table), "a,b\n,1\n\"\",\n,\n");
}

#[test]
fn no_line_is_the_end_of_a_copy() {
    let table = one_column(
        ColumnType::String,
        ["\\.".into(), "a\\.".into(), "\\.b".into(), "\\".into()],
    );
    assert_eq!(file(&table), "c\n\"\\.\"\na\\.\n\\.b\n\\\n");
    let beside = Table {
        columns: vec![
            column("a", ColumnType::String),
            column("b", ColumnType::Integer),
        ],
        rows: vec![vec!["\\.".into(), Value::Null]],
        batch_rows: 8,
    };
    assert_eq!(file(&beside), "a,b\n\\.,\n");
}

#[test]
fn one_column_has_no_blank_lines() {
    assert_eq!(
        cells_of(ColumnType::String, [Value::Null, "".into(), "x".into()]),
        ["\"\"", "\"\"", "x"]
    );
    assert_eq!(
        cells_of(ColumnType::Integer, [Value::Null, Value::Integer(0)]),
        ["\"\"", "0"]
    );
}

#[test]
fn numbers_keep_every_digit() {
    let integers = [i64::MIN, -1, 0, i64::MAX].map(Value::Integer);
    assert_eq!(
        cells_of(ColumnType::Integer, integers),
        ["-9223372036854775808", "-1", "0", "9223372036854775807"]
    );
    let decimals = [
        "-12.50",
        "0.000",
        "123456789012345678901234567890.123456789",
        "NaN",
        "-Infinity",
    ];
    assert_eq!(
        cells_of(ColumnType::Decimal, decimals.map(Value::from)),
        decimals
    );
}

#[test]
fn floats_are_laid_out_as_postgresql_does() {
    let floats = [
        0.1,
        -0.0,
        1e15,
        1e-5,
        1.5e20,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    assert_eq!(
        cells_of(ColumnType::Float, floats.map(Value::Float)),
        [
            "0.1",
            "-0",
            "1e+15",
            "1e-05",
            "1.5e+20",
            "NaN",
            "Infinity",
            "-Infinity"
        ]
    );
}

#[test]
fn the_guard_marks_strings_that_start_a_formula() {
    for (text, guarded, bare) in [
        ("=1+1", "'=1+1", "=1+1"),
        ("+1", "'+1", "+1"),
        ("-1", "'-1", "-1"),
        ("@sum", "'@sum", "@sum"),
        ("\tx", "'\tx", "\tx"),
        ("\rx", "\"'\rx\"", "\"\rx\""),
        ("\nx", "\"'\nx\"", "\"\nx\""),
        ("=A1,\"B\"", "\"'=A1,\"\"B\"\"\"", "\"=A1,\"\"B\"\"\""),
        ("a=1", "a=1", "a=1"),
        ("'=1", "'=1", "'=1"),
        // Readers trim what is before it.
        (" =1", "' =1", " =1"),
        ("   -1", "'   -1", "   -1"),
        ("\u{feff}=1", "'\u{feff}=1", "\u{feff}=1"),
        (
            " \u{feff} \u{feff}@a",
            "' \u{feff} \u{feff}@a",
            " \u{feff} \u{feff}@a",
        ),
        ("\u{a0}+1", "'\u{a0}+1", "\u{a0}+1"),
        ("\u{3000}=1", "'\u{3000}=1", "\u{3000}=1"),
        ("\u{2003}=1", "'\u{2003}=1", "\u{2003}=1"),
        ("\u{1680}=1", "'\u{1680}=1", "\u{1680}=1"),
        ("\u{85}=1", "'\u{85}=1", "\u{85}=1"),
        ("\u{b}\u{c}=1", "'\u{b}\u{c}=1", "\u{b}\u{c}=1"),
        (" \tx", "' \tx", " \tx"),
        ("\u{feff}\rx", "\"'\u{feff}\rx\"", "\"\u{feff}\rx\""),
        (" \n=1", "\"' \n=1\"", "\" \n=1\""),
        // Where the full-width forms are typed, they mean the same.
        ("＝1+1", "'＝1+1", "＝1+1"),
        ("＋1", "'＋1", "＋1"),
        ("－1", "'－1", "－1"),
        ("＠a", "'＠a", "＠a"),
        (" ＝1", "' ＝1", " ＝1"),
        // And nothing else.
        (" ", " ", " "),
        (" a=1", " a=1", " a=1"),
        ("\u{feff}", "\u{feff}", "\u{feff}"),
        (" '=1", " '=1", " '=1"),
        ("（1", "（1", "（1"),
        ("１+1", "１+1", "１+1"),
        ("、=1", "、=1", "、=1"),
        ("\u{200b}=1", "\u{200b}=1", "\u{200b}=1"),
        ("£-1", "£-1", "£-1"),
        ("–1", "–1", "–1"),
    ] {
        let table = one_column(ColumnType::String, [text.into()]);
        assert_eq!(file(&table), format!("c\n{guarded}\n"));
        let off = table.file(CsvEncoder::with_formula_guard(&table.columns, false));
        assert_eq!(off, format!("c\n{bare}\n"));
    }
}

#[test]
fn the_guard_leaves_other_types_alone() {
    assert_eq!(
        cells_of(ColumnType::Decimal, ["-1.5".into(), "+1".into()]),
        ["-1.5", "+1"]
    );
    assert_eq!(cells_of(ColumnType::Integer, [Value::Integer(-1)]), ["-1"]);
    assert_eq!(cells_of(ColumnType::Float, [Value::Float(-0.5)]), ["-0.5"]);
    assert_eq!(cells_of(ColumnType::Json, ["-1".into()]), ["-1"]);
}

#[test]
fn header_cells_are_quoted_but_never_changed() {
    let columns = vec![
        column("=a", ColumnType::Integer),
        column("b,\"c\"", ColumnType::Integer),
    ];
    let mut out = Vec::new();
    CsvEncoder::new(&columns).begin(&mut out);
    assert_eq!(out, b"=a,\"b,\"\"c\"\"\"\n");
}

#[test]
fn an_empty_result_is_the_header_alone() {
    let mut table = one_column(ColumnType::Json, []);
    assert_eq!(file(&table), "c\n");
    table.columns.push(column("d", ColumnType::Boolean));
    let mut encoder = CsvEncoder::new(&table.columns);
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder
        .write(&batch(&table.columns, &[]), &mut out)
        .expect("an empty batch");
    assert_eq!(out, b"c,d\n");
}

#[test]
fn what_stands_in_the_buffer_stays() {
    let table = one_column(ColumnType::String, ["a".into(), "b,".into()]);
    let mut encoder = CsvEncoder::new(&table.columns);
    let mut out = b"before|".to_vec();
    for batch in table.batches() {
        encoder
            .write(&batch, &mut out)
            .expect("the table fits its columns");
    }
    assert_eq!(out, b"before|a\n\"b,\"\n");
}

#[test]
fn infinite_and_remote_times_are_written_as_postgresql_does() {
    for (column_type, value, text) in [
        (
            ColumnType::Timestamp,
            Value::Timestamp(i64::MAX),
            "infinity",
        ),
        (
            ColumnType::Timestamp,
            Value::Timestamp(i64::MIN),
            "-infinity",
        ),
        (
            ColumnType::Timestamp,
            Value::Timestamp(253_402_300_800_500_000),
            "10000-01-01 00:00:00.5+00",
        ),
        (ColumnType::Date, Value::Date(i32::MIN), "-infinity"),
        (ColumnType::Date, Value::Date(-719_163), "0001-12-31 BC"),
    ] {
        let columns = vec![
            column("n", ColumnType::Integer),
            column("moment", column_type),
        ];
        let batch = batch(&columns, &[vec![Value::Integer(1), value]]);
        let mut out = Vec::new();
        let written = CsvEncoder::new(&columns).write(&batch, &mut out);
        written.expect("every instant has a notation");
        assert_eq!(String::from_utf8(out), Ok(format!("1,{text}\n")));
    }
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let integers = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let batch = |names: &[&str]| {
        let fields: Vec<_> = names
            .iter()
            .map(|name| Field::new(*name, ColumnType::Integer.arrow(), true))
            .collect();
        let arrays = names.iter().map(|_| integers()).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
    };
    let columns = vec![
        column("a", ColumnType::Integer),
        column("b", ColumnType::Float),
    ];
    for (names, message) in [
        (
            &["a"][..],
            "column b: expected Arrow type Float64, got no such column",
        ),
        (
            &["a", "b"],
            "column b: expected Arrow type Float64, got Int64",
        ),
    ] {
        let mut out = Vec::new();
        let error = CsvEncoder::new(&columns)
            .write(&batch(names), &mut out)
            .expect_err("another schema");
        assert_eq!(error.to_string(), message);
        assert!(out.is_empty());
    }
    let error = CsvEncoder::new(&columns[..1]).write(&batch(&["a", "b"]), &mut Vec::new());
    assert_eq!(
        error.expect_err("one column too many").to_string(),
        "column b: expected Arrow type no such column, got Int64"
    );
}

/// Checks a cell against the value it was written for, by reading it as another program would.
fn assert_reads_back(column: &Column, value: &Value, text: &str) {
    match value {
        Value::Null => assert_eq!(text, ""),
        Value::Text(expected) => assert_eq!(text, expected),
        Value::Integer(expected) => assert_eq!(text, expected.to_string()),
        Value::Float(expected) if expected.is_nan() => assert_eq!(text, "NaN"),
        Value::Float(expected) => {
            assert_eq!(
                text.parse::<f64>().expect("a double").to_bits(),
                expected.to_bits()
            );
        }
        Value::Boolean(expected) => assert_eq!(text, expected.to_string()),
        Value::Timestamp(expected) => {
            let read = DateTime::parse_from_rfc3339(text).expect("RFC 3339");
            assert!(text.ends_with('Z'), "{text} in {}", column.name);
            assert_eq!(read.timestamp_micros(), *expected);
        }
        Value::Date(expected) => {
            let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").expect("a date");
            assert_eq!(read.to_epoch_days(), *expected);
        }
        Value::Uuid(expected) => assert_eq!(text, uuid::Uuid::from_bytes(*expected).to_string()),
    }
}

proptest! {
    #[test]
    fn any_table_survives_the_csv_crate(table in tables()) {
        let file = table.file(CsvEncoder::with_formula_guard(&table.columns, false));
        let mut reader = ::csv::Reader::from_reader(file.as_bytes());
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        prop_assert_eq!(reader.headers().expect("a header"), names);
        let records: Vec<_> = reader.records().map(|record| record.expect("a record")).collect();
        prop_assert_eq!(records.len(), table.rows.len());
        for (record, row) in records.iter().zip(&table.rows) {
            for (column, (text, value)) in table.columns.iter().zip(record.iter().zip(row)) {
                assert_reads_back(column, value, text);
            }
        }
    }

    #[test]
    fn null_and_the_empty_string_stay_apart(table in tables()) {
        let file = table.file(CsvEncoder::with_formula_guard(&table.columns, false));
        let records = split(&file);
        prop_assert_eq!(records.len(), table.rows.len() + 1);
        for (record, row) in records[1..].iter().zip(&table.rows) {
            prop_assert_eq!(record.len(), row.len());
            for (column, (field, value)) in table.columns.iter().zip(record.iter().zip(row)) {
                assert_reads_back(column, value, &field.text);
                let needed = match value {
                    Value::Null => row.len() == 1,
                    _ => field.text.is_empty() || field.text.contains([',', '"', '\r', '\n']),
                };
                prop_assert_eq!(field.quoted, needed);
            }
        }
    }

    #[test]
    fn the_guard_changes_nothing_but_formula_strings(table in tables()) {
        let trimmed = |c: char| c.is_whitespace() && !"\t\r\n".contains(c) || c == '\u{feff}';
        let bare = split(&table.file(CsvEncoder::with_formula_guard(&table.columns, false)));
        let guarded = split(&file(&table));
        prop_assert_eq!(guarded.len(), bare.len());
        prop_assert_eq!(&guarded[0], &bare[0]);
        for (guarded, bare) in guarded[1..].iter().zip(&bare[1..]) {
            prop_assert_eq!(guarded.len(), bare.len());
            for (column, (guarded, bare)) in table.columns.iter().zip(guarded.iter().zip(bare)) {
                let formula = bare.text.trim_start_matches(trimmed);
                let formula = formula.starts_with(|c| "=+-@＝＋－＠\t\r\n".contains(c));
                if column.column_type == ColumnType::String && formula {
                    prop_assert_eq!(guarded.text.strip_prefix('\''), Some(bare.text.as_str()));
                    prop_assert_eq!(guarded.quoted, bare.quoted);
                } else {
                    prop_assert_eq!(guarded, bare);
                }
            }
        }
    }

    #[test]
    fn where_batches_end_does_not_show(table in tables(), ends in vec(any::<Index>(), 0..6)) {
        let cut = table.file_cut_at(&ends, CsvEncoder::new(&table.columns));
        prop_assert_eq!(cut, file(&table));
    }
}
