//! What SQLite alone can get wrong: a file has no column types, so one value is stored in many ways.

mod estimates;
mod files;
mod properties;
mod tables;
mod times;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use waybill_conformance::source::{self, Backend, CATALOG, file, open, plan_of, sources};
use waybill_report::query::ReportPlan;
use waybill_report::source::sqlite::SqliteSource;
use waybill_report::source::{Source, SourceError};

/// A file with the table of the suite, its columns untyped as SQLite allows.
struct Things {
    _dir: TempDir,
    path: PathBuf,
}

impl Things {
    fn new() -> Self {
        let dir = TempDir::new().expect("a folder");
        let path = dir.path().join("things.sqlite");
        let things = Self { _dir: dir, path };
        things.execute(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE things (org, at, s, i, f, d, b, day, u, j);",
        );
        things
    }

    async fn csv(&self, query: Value) -> String {
        let file = file(&sources(self.source()), &plan_of(CATALOG, "a", query)).await;
        file.expect("a report")
    }
}

impl Backend for Things {
    fn execute(&self, sql: &str) {
        let writer = Connection::open(&self.path).expect("the file");
        writer.execute_batch(sql).expect("valid SQL");
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::new(SqliteSource::new(&self.path))
    }

    fn document(text: &str) -> String {
        text.to_owned()
    }

    const UNFIT: (&'static str, &'static str) = (
        "INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 'many')",
        "i",
    );
}

#[tokio::test]
async fn sqlite_does_what_every_source_must() {
    source::run(async || Things::new()).await;
}

#[tokio::test]
async fn values_stored_in_several_ways_compare_as_one() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, d, u) VALUES
            ('a', '2026-03-01T10:00:00Z',      '10',    '0193AAAA-0000-7000-8000-000000000001'),
            ('a', '2026-03-01 12:00:00+02:00', 10,      '0193aaaa-0000-7000-8000-000000000001'),
            ('a', '2026-03-01 10:00:00.000',   '10.00', x'0193AAAA000070008000000000000001'),
            ('a', '2026-03-01T10:00:00.5Z',    '9.5',   NULL);",
    );
    let csv = things
        .csv(json!({ "dataset": "groups", "dimensions": ["at", "u"], "measures": ["n"], "order_by": [{ "dimension": "at" }] }))
        .await;
    assert_eq!(
        csv,
        "at,u,n\n\
         2026-03-01T10:00:00Z,0193aaaa-0000-7000-8000-000000000001,3\n\
         2026-03-01T10:00:00.5Z,,1\n"
    );
    let csv = things
        .csv(json!({
            "dataset": "things", "dimensions": ["d"], "order_by": [{ "dimension": "d" }],
            "filters": [{ "field": "d", "op": "lt", "value": 10.1 }, { "field": "u", "op": "eq", "value": null }],
        }))
        .await;
    assert_eq!(csv, "d\n9.5\n");
    let csv = things
        .csv(json!({ "dataset": "groups", "dimensions": ["d"], "measures": ["n"], "order_by": [{ "dimension": "d", "direction": "desc" }] }))
        .await;
    let counts: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.rsplit(',').next())
        .collect();
    assert_eq!(
        counts,
        ["n", "3", "1"],
        "10, 10.00 and 9.5: by value, not as text"
    );
}

#[tokio::test]
async fn truths_stored_in_several_ways_are_two() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i, b) VALUES
            ('a', '2026-03-01', 1, TRUE), ('a', '2026-03-01', 2, 'true'),
            ('a', '2026-03-01', 3, FALSE), ('a', '2026-03-01', 4, 'false'), ('a', '2026-03-01', 5, NULL);",
    );
    let groups = json!({ "dataset": "groups", "dimensions": ["b"], "measures": ["total"],
        "order_by": [{ "dimension": "b" }] });
    assert_eq!(things.csv(groups).await, "b,total\nfalse,7\ntrue,3\n,5\n");
    for (op, value, found) in [
        ("eq", json!(true), "i\n1\n2\n"),
        ("neq", json!(true), "i\n3\n4\n"),
        ("in", json!([false]), "i\n3\n4\n"),
    ] {
        let query = json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }],
            "filters": [{ "field": "b", "op": op, "value": value }] });
        assert_eq!(things.csv(query).await, found, "{op} {value}");
    }
}

#[tokio::test]
async fn the_range_is_half_open_whatever_the_form() {
    for index in ["", "CREATE INDEX things_by_time ON things (org, at)"] {
        let things = Things::new();
        things.execute(index);
        things.execute(
            "INSERT INTO things (org, at, i) VALUES
                ('a', '2025-12-31T23:59:59.999999Z', 1),
                ('a', '2026-01-01', 2),
                ('a', '2025-12-31T20:00:00-04:00', 3),
                ('a', '2027-01-01', 6);",
        );
        let rows = async || {
            let query = json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }] });
            things.csv(query).await
        };
        assert_eq!(rows().await, "i\n2\n3\n", "text alone; {index}");
        things.execute(
            "INSERT INTO things (org, at, i) VALUES
                ('a', 2461041.25, 0),
                ('a', 1798761599, 4),
                ('a', 1798761600, 5);",
        );
        assert_eq!(rows().await, "i\n2\n3\n4\n", "{index}");
    }
}

#[tokio::test]
async fn text_that_is_no_document_is_unfit() {
    for text in ["{", "{} {}", "nul", "", "[1,]", "\"\\x\""] {
        let things = Things::new();
        let text = text.replace('\'', "''");
        things.execute(&format!(
            "INSERT INTO things (org, at, j) VALUES ('a', '2026-01-05', '{text}')"
        ));
        let plan = plan_of(
            CATALOG,
            "a",
            json!({ "dataset": "things", "dimensions": ["j"] }),
        );
        let error = file(&sources(things.source()), &plan).await;
        assert!(matches!(error, Err(SourceError::Value { .. })), "{text}");
    }
}

/// Rows without end, none of which is found.
const ENDLESS: &str = r#"
[datasets.endless]
sql = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT i, 'a' AS org, '2026-05-01T00:00:00Z' AS at FROM n WHERE i < 0"""
grain = "row"
tenant = "org"
time = "at"

[datasets.endless.dimensions]
i = { sql = "i", type = "integer" }
"#;
