//! Every value is written as it is specified, and compared as its type is.

use serde_json::{Value, json};

use super::samples::{COLUMNS, expected_rows, query, samples, server_with};
use crate::harness::http::{EXPORT, QUERY};
use crate::harness::launch::Launch;
use crate::harness::reports::{export_of, with};
use crate::harness::truth::csv;
use crate::harness::values::text;

#[tokio::test]
async fn all_nine_types_are_written_byte_for_byte_as_specified() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let body = export_of(&query("samples", &COLUMNS));
    let expected = csv(&COLUMNS, &expected_rows(&samples));

    let inline = http.post(EXPORT, &body).await.content();
    assert_eq!(inline, String::from_utf8(expected.clone()).expect("UTF-8"));
    let streamed = http
        .post_with(EXPORT, &[("accept", "text/csv")], &body)
        .await
        .expect(200);
    assert!(streamed.body == expected, "the streamed file");
    let (export, stored) = http.exported(&body).await;
    assert!(stored == expected, "the stored object");
    assert_eq!(export["row_count"], samples.len(), "and nobody else's rows");
    assert_eq!(export["source_updated_at"], "2026-05-02T10:00:00Z");
}

#[tokio::test]
async fn json_keeps_values_and_every_digit() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let answer = server
        .http()
        .post(QUERY, &with(query("samples", &COLUMNS), "limit", 100))
        .await;
    let report = answer.expect(200).json();
    let types: Vec<String> = report["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| text(&column["type"]))
        .collect();
    let expected = [
        "integer",
        "string",
        "integer",
        "float",
        "decimal",
        "boolean",
        "timestamp",
        "date",
        "uuid",
        "json",
    ];
    assert_eq!(types, expected);
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), samples.len());
    for (row, sample) in rows.iter().zip(&samples) {
        let [_, _, t, u, _] = sample.shown;
        assert_eq!(row["s"], json!(sample.s));
        assert_eq!(row["i"], json!(sample.i));
        assert_eq!(row["b"], json!(sample.b));
        assert_eq!(row["day"], json!(sample.day));
        assert_eq!(row["t"], json!(t.or(sample.t)));
        assert_eq!(row["u"], json!(u.or(sample.u)));
        // Infinities are no JSON.
        assert_eq!(
            row["f"].as_f64(),
            sample.f.filter(|float| float.is_finite())
        );
        match sample.d {
            Some(digits) => assert_eq!(row["d"].to_string(), digits),
            None => assert!(row["d"].is_null()),
        }
        let stored: Value = sample
            .j
            .map_or(Value::Null, |j| serde_json::from_str(j).expect("JSON"));
        assert_eq!(row["j"], stored);
    }
}

#[tokio::test]
async fn filters_compare_as_their_type_does() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    for (field, op, value, ids) in [
        ("i", "eq", json!(i64::MIN), vec![4]),
        ("i", "eq", json!(i64::MAX), vec![3]),
        ("i", "in", json!([0, -5]), vec![2, 5]),
        ("f", "gt", json!(1000), vec![4, 6]),
        ("f", "lte", json!(0.1), vec![2, 3, 5]),
        ("d", "eq", json!(-12.5), vec![3]),
        ("d", "eq", json!(1), vec![6]),
        ("d", "lt", json!(0), vec![3, 5]),
        ("d", "gt", json!(99), vec![4]),
        ("b", "eq", json!(true), vec![3]),
        ("b", "neq", json!(true), vec![2]),
        ("b", "neq", json!(null), vec![2, 3]),
        ("t", "eq", json!("2026-05-01T12:34:56.5Z"), vec![3]),
        ("t", "lt", json!("2026-05-01T00:00:00.000001Z"), vec![2, 6]),
        ("day", "gte", json!("2026-05-01"), vec![2, 4]),
        (
            "u",
            "eq",
            json!("01930000-0000-7000-8000-00000000abcd"),
            vec![2, 3],
        ),
        ("s", "eq", json!("a,b"), vec![14]),
        (
            "s",
            "in",
            json!(["\"", "line\nbreak", "\\"]),
            vec![17, 19, 26],
        ),
        ("s", "eq", json!("''; DROP TABLE \"order\"; --"), vec![35]),
        ("s", "eq", json!("Plain"), vec![]),
        ("j", "neq", json!(null), vec![2, 3, 4, 5, 6]),
    ] {
        let filters = json!([{"field": field, "op": op, "value": value}]);
        let filtered = with(query("samples", &["id"]), "filters", filters.clone());
        let content = http.post(EXPORT, &export_of(&filtered)).await.content();
        let found: Vec<u64> = content
            .lines()
            .skip(1)
            .map(|line| line.parse().expect("an id"))
            .collect();
        assert_eq!(found, ids, "{filters}");
    }
}

#[tokio::test]
async fn aggregates_of_ones_own_are_grouped_and_filtered() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let mut totals = query("totals", &["parity"]);
    totals["measures"] = json!(["entries", "largest"]);
    let content = http.post(EXPORT, &export_of(&totals)).await.content();
    let odd = samples.len().div_ceil(2);
    let even = samples.len() / 2;
    assert_eq!(
        content,
        format!("parity,entries,largest\n0,{even},0\n1,{odd},{}\n", i64::MAX)
    );
    // The only filters are those that the catalog lists.
    totals["filters"] = json!([{"field": "upper", "op": "eq", "value": "PLAIN"}]);
    let content = http.post(EXPORT, &export_of(&totals)).await.content();
    assert_eq!(
        content,
        format!("parity,entries,largest\n1,1,{}\n", i64::MAX)
    );
    totals["filters"] = json!([{"field": "s", "op": "eq", "value": "plain"}]);
    http.post(EXPORT, &export_of(&totals))
        .await
        .problem(400, "invalid_query");
}
