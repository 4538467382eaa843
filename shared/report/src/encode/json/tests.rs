use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value as Json, json};
use strum::VariantArray as _;

use super::super::json_rows::write_decimal;
use super::super::sample::{Table, Value, batch, column, one_column, tables};
use super::*;
use crate::column::{ColumnKind, ColumnType};

fn as_of() -> DateTime<Utc> {
    DateTime::from_timestamp(1_776_988_800, 500_000_999).expect("an instant")
}

fn file(table: &Table) -> String {
    table.file(JsonEncoder::new(&table.columns, as_of()))
}

/// The one cell of a one-column, one-row document, as it stands there.
fn cell(column_type: ColumnType, value: Value) -> String {
    let file = file(&one_column(column_type, [value]));
    let (_, rows) = file.split_once("\"rows\":[{\"c\":").expect("a row");
    let (cell, _) = rows.rsplit_once("}],").expect("the end of the rows");
    cell.to_owned()
}

#[test]
fn the_document_is_a_report_result() {
    let mut measure = column("n", ColumnType::Integer);
    measure.kind = ColumnKind::Measure;
    let table = Table {
        columns: vec![column("status", ColumnType::String), measure],
        rows: vec![
            vec!["done".into(), Value::Integer(2)],
            vec![Value::Null, Value::Integer(1)],
            vec!["".into(), Value::Null],
        ],
        batch_rows: 2,
    };
    assert_eq!(
        file(&table),
        r#"{"as_of":"2026-04-24T00:00:00.5Z","columns":[{"name":"status","kind":"dimension","type":"string"},"#.to_owned()
            + r#"{"name":"n","kind":"measure","type":"integer"}],"rows":[{"status":"done","n":2},"#
            + r#"{"status":null,"n":1},{"status":"","n":null}],"limit_reached":false,"freshness_lag_ms":1500}"#
    );
}

#[test]
fn every_type_has_its_notation() {
    for (column_type, value, expected) in [
        (
            ColumnType::String,
            "a \"b\"\n\\\u{1}é".into(),
            r#""a \"b\"\n\\\u0001é""#,
        ),
        (
            ColumnType::Integer,
            Value::Integer(i64::MIN),
            "-9223372036854775808",
        ),
        (ColumnType::Float, Value::Float(5000.0), "5000"),
        (ColumnType::Float, Value::Float(1e-5), "1e-05"),
        (ColumnType::Float, Value::Float(f64::NAN), "null"),
        (ColumnType::Float, Value::Float(f64::NEG_INFINITY), "null"),
        (ColumnType::Decimal, "-12.50".into(), "-12.50"),
        (ColumnType::Boolean, Value::Boolean(true), "true"),
        (ColumnType::Boolean, Value::Boolean(false), "false"),
        (
            ColumnType::Timestamp,
            Value::Timestamp(-1),
            r#""1969-12-31T23:59:59.999999Z""#,
        ),
        (ColumnType::Date, Value::Date(20_567), r#""2026-04-24""#),
        (
            ColumnType::Uuid,
            Value::Uuid([0xAB; 16]),
            r#""abababab-abab-abab-abab-abababababab""#,
        ),
        (
            ColumnType::Json,
            r#"{"a":[1,null]}"#.into(),
            r#"{"a":[1,null]}"#,
        ),
        (ColumnType::Json, "null".into(), "null"),
    ] {
        assert_eq!(cell(column_type, value), expected);
    }
    for column_type in ColumnType::VARIANTS {
        assert_eq!(cell(*column_type, Value::Null), "null");
    }
}

#[test]
fn decimals_become_legal_numbers_with_every_digit() {
    for (text, expected) in [
        ("0", "0"),
        ("-0", "-0"),
        ("0.00", "0.00"),
        (
            "123456789012345678901234567890.10",
            "123456789012345678901234567890.10",
        ),
        ("1e5", "1e5"),
        ("1.5E-07", "1.5E-07"),
        ("+1.5", "1.5"),
        ("007.50", "7.50"),
        ("-00", "-0"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("5.e3", "5e3"),
        ("NaN", "null"),
        ("Infinity", "null"),
        ("+Infinity", "null"),
        ("-Infinity", "null"),
    ] {
        assert_eq!(cell(ColumnType::Decimal, text.into()), expected);
    }
}

#[test]
fn text_that_is_no_decimal_is_an_error() {
    let columns = vec![column("cost", ColumnType::Decimal)];
    for text in [
        "", "-", ".", "+.", "e5", ".e5", "1e", "1e+", "1e5.0", "1,5", " 1", "1 ", "0x10", "--1",
        "1.2.3", "1}",
    ] {
        let batch = batch(&columns, &[vec![text.into()]]);
        let error = JsonEncoder::new(&columns, as_of()).write(&batch, &mut Vec::new());
        assert_eq!(
            error.expect_err(text).to_string(),
            "column cost, row 1: the text is not a decimal number"
        );
    }
}

#[test]
fn infinite_and_remote_times_are_strings() {
    for (column_type, value, text) in [
        (
            ColumnType::Timestamp,
            Value::Timestamp(i64::MIN),
            "-infinity",
        ),
        (
            ColumnType::Timestamp,
            Value::Timestamp(-62_135_596_800_000_001),
            "0001-12-31 23:59:59.999999+00 BC",
        ),
        (ColumnType::Date, Value::Date(i32::MAX), "infinity"),
        (ColumnType::Date, Value::Date(2_932_897), "10000-01-01"),
    ] {
        let columns = vec![column("moment", column_type)];
        let batch = batch(&columns, &[vec![value]]);
        let mut out = Vec::new();
        let written = JsonEncoder::new(&columns, as_of()).write(&batch, &mut out);
        written.expect("every instant has a notation");
        assert_eq!(
            String::from_utf8(out),
            Ok(format!("{{\"moment\":\"{text}\"}}"))
        );
    }
}

#[test]
fn an_empty_result_has_no_rows() {
    let expected = concat!(
        r#"{"as_of":"2026-04-24T00:00:00.5Z","columns":[{"name":"c","kind":"dimension","type":"date"}],"#,
        r#""rows":[],"limit_reached":true}"#
    );
    let columns = vec![column("c", ColumnType::Date)];
    let trailer = Trailer {
        limit_reached: true,
        freshness_lag_ms: None,
    };
    for batches in [vec![], vec![batch(&columns, &[])]] {
        let mut encoder = JsonEncoder::new(&columns, as_of());
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for batch in &batches {
            encoder.write(batch, &mut out).expect("an empty batch");
        }
        encoder.finish(&trailer, &mut out).expect("an end");
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }
}

#[test]
fn names_are_escaped() {
    let mut table = one_column(ColumnType::Integer, [Value::Integer(1)]);
    table.columns[0].name = "a\"b\\".to_owned();
    let document: Json = serde_json::from_str(&file(&table)).expect("JSON");
    assert_eq!(document["rows"], json!([{"a\"b\\": 1}]));
    assert_eq!(document["columns"][0]["name"], "a\"b\\");
}

/// The cell that a value must become, built without the encoder.
fn expected(column: &Column, value: &Value) -> Json {
    let parse = |text: &str| serde_json::from_str(text).expect("JSON");
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => match column.column_type {
            ColumnType::Json => parse(text),
            ColumnType::Decimal if text.ends_with(['N', 'y']) => Json::Null,
            // Numbers keep their text, so this compares every digit.
            ColumnType::Decimal => parse(text),
            _ => json!(text),
        },
        Value::Integer(n) => json!(n),
        Value::Float(x) if !x.is_finite() => Json::Null,
        Value::Float(x) => json!(x),
        Value::Boolean(truth) => json!(truth),
        Value::Timestamp(micros) => {
            json!(DateTime::from_timestamp_micros(*micros).expect("in range"))
        }
        Value::Date(days) => json!(chrono::NaiveDate::from_epoch_days(*days).expect("in range")),
        Value::Uuid(bytes) => json!(uuid::Uuid::from_bytes(*bytes)),
    }
}

proptest! {
    #[test]
    fn any_table_is_what_serde_json_reads(table in tables()) {
        let document: Json = serde_json::from_str(&file(&table)).expect("JSON");
        let members: Vec<_> = document.as_object().expect("an object").keys().collect();
        prop_assert_eq!(members, ["as_of", "columns", "rows", "limit_reached", "freshness_lag_ms"]);
        let columns: Vec<Column> = serde_json::from_value(document["columns"].clone()).expect("columns");
        prop_assert_eq!(&columns, &table.columns);
        let rows = document["rows"].as_array().expect("an array");
        prop_assert_eq!(rows.len(), table.rows.len());
        for (read, row) in rows.iter().zip(&table.rows) {
            let read = read.as_object().expect("an object");
            prop_assert_eq!(read.len(), row.len());
            for (((name, read), column), value) in read.iter().zip(&columns).zip(row) {
                prop_assert_eq!(name, &column.name);
                match value {
                    // Two notations of one value.
                    Value::Float(x) if x.is_finite() => {
                        prop_assert_eq!(read.as_f64().map(f64::to_bits), Some(x.to_bits()));
                    }
                    Value::Timestamp(micros) => {
                        let read: DateTime<Utc> = serde_json::from_value(read.clone()).expect("an instant");
                        prop_assert_eq!(read.timestamp_micros(), *micros);
                    }
                    _ => prop_assert_eq!(read, &expected(column, value)),
                }
            }
        }
    }

    #[test]
    fn where_batches_end_does_not_show(table in tables(), ends in vec(any::<Index>(), 0..6)) {
        let cut = table.file_cut_at(&ends, JsonEncoder::new(&table.columns, as_of()));
        prop_assert_eq!(cut, file(&table));
    }

    #[test]
    fn any_decimal_text_is_a_number_or_an_error(text in "[-+]?[0-9]{0,4}[.]?[0-9]{0,4}([eE][-+]?[0-9]{0,2})?[x. ]?") {
        let mut out = Vec::new();
        match write_decimal(&text, &mut out) {
            Ok(()) => {
                let written = String::from_utf8(out).expect("ASCII");
                prop_assert!(serde_json::from_str::<serde_json::Number>(&written).is_ok());
                prop_assert_eq!(written.parse::<f64>(), text.parse::<f64>());
            }
            Err(_) => prop_assert!(text.parse::<f64>().is_err()),
        }
    }
}
