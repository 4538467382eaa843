//! What is told beforehand of a report from a SQLite file, where no planner expects anything.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::http::EXPORT;
use crate::harness::launch::Launch;
use crate::harness::reports::export_of;
use crate::harness::server::Server;

/// Days of May with rows, and rows of each.
const DAYS: usize = 30;
const ROWS_OF_DAY: usize = 10;

const CATALOG: &str = r#"
[datasets.visits]
table = "visits"
grain = "row"
tenant = "org_id"
time = "at"

[datasets.visits.dimensions]
id = { sql = "id", type = "integer" }
"#;

fn server() -> (Server, TempDir) {
    let folder = TempDir::new().expect("a folder for the test");
    let (file, catalog) = (
        folder.path().join("visits.db"),
        folder.path().join("catalog.toml"),
    );
    Connection::open(&file)
        .and_then(|connection| {
            connection.execute_batch(&format!(
                "CREATE TABLE visits (id INTEGER PRIMARY KEY, org_id TEXT, at TEXT);
                 CREATE INDEX by_time ON visits (org_id, at);
                 WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < {DAYS} * {ROWS_OF_DAY} - 1)
                 INSERT INTO visits SELECT id, 'org_demo', printf('2026-05-%02dT10:00:00Z', 1 + id / {ROWS_OF_DAY}) FROM n;"
            ))
        })
        .expect("SQLite writes the rows");
    fs::write(&catalog, CATALOG).expect("the catalog is written");
    let launch = Launch::new().env("INLINE__MAX_ROWS", 25);
    (launch.own_data(&file, &catalog).start(), folder)
}

fn visits(from: &str, to: &str) -> Value {
    json!({
        "dataset": "visits", "dimensions": ["id"], "limit": null,
        "time_range": {"from": format!("2026-05-{from}T00:00:00Z"), "to": format!("2026-05-{to}T00:00:00Z")},
    })
}

#[tokio::test]
async fn an_export_of_a_file_knows_how_far_it_is() {
    let (server, _folder) = server();
    let (export, _) = server
        .http()
        .exported(&export_of(&visits("01", "31")))
        .await;
    assert_eq!(export["row_count"], DAYS * ROWS_OF_DAY);
    assert_eq!(export["progress"]["estimated_rows"], export["row_count"]);
    assert_eq!(export["progress"]["percent"], 100.0);
}

#[tokio::test]
async fn a_large_report_of_a_file_is_a_job_at_once_and_a_small_one_among_many_rows_is_none() {
    let (server, _folder) = server();
    let http = server.http();
    http.post(EXPORT, &export_of(&visits("01", "31")))
        .await
        .accepted();
    let metrics = http.get("/metrics").await.expect(200);
    let attempts: Vec<&str> = metrics
        .text()
        .lines()
        .filter(|line| line.starts_with("waybill_inline_attempts_total{"))
        .collect();
    assert!(!attempts.is_empty(), "{}", metrics.text());
    let none = |line: &&str| line.ends_with(" 0");
    assert!(
        attempts.iter().all(none),
        "nothing was tried in vain: {attempts:?}"
    );
    let small = http
        .post(EXPORT, &export_of(&visits("10", "11")))
        .await
        .report_export();
    assert_eq!(small["row_count"], ROWS_OF_DAY);
}
