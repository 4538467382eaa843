//! What a catalog may restrict, and what a file that changes shows.

use std::fs;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::samples::{query, samples, server_with};
use crate::harness::http::{EXPORT, QUERY, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{export_of, with};
use crate::harness::values::text;

#[tokio::test]
async fn a_catalog_decides_who_sees_what() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let catalog = http.get("/v1/reports/catalog").await.expect(200).json();
    let names: Vec<String> = catalog["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|d| text(&d["name"]))
        .collect();
    assert_eq!(
        names,
        ["everyones", "missing", "samples", "totals", "wrong"]
    );

    // Everyone in `up` is an admin.
    let body = export_of(&query("for_viewers", &["id"]));
    http.post(EXPORT, &body).await.problem(403, "forbidden");
    http.post_with(EXPORT, &[RESPOND_ASYNC], &body)
        .await
        .problem(403, "forbidden");
    http.post(QUERY, &with(query("for_viewers", &["id"]), "limit", 5))
        .await
        .problem(403, "forbidden");

    // Shared data has no organisation.
    let report = http
        .post(EXPORT, &export_of(&query("everyones", &["id"])))
        .await
        .report_export();
    assert_eq!(report["row_count"], samples.len() * 3);
    assert!(
        report.get("source_updated_at").is_none(),
        "no update column, no freshness"
    );
    assert!(
        report.get("freshness_lag_ms").is_none(),
        "no update column, no freshness"
    );
}

#[tokio::test]
async fn an_export_that_cannot_be_read_fails_with_a_reason_and_no_internals() {
    let samples = samples();
    let (server, folder) = server_with(&samples, Launch::new().env("EXPORTS__MAX_ATTEMPTS", 1));
    let http = server.http();
    // The catalog fitted when the process started.
    Connection::open(folder.path().join("own.db"))
        .and_then(|source| source.execute_batch("DROP TABLE short_lived"))
        .expect("the table goes");
    for (dataset, column) in [("wrong", "s"), ("missing", "id")] {
        let body = export_of(&query(dataset, &[column]));
        let id = text(&http.submit(&body).await["id"]);
        let export = http.export_once(&id, "failed").await;
        let error = &export["error"];
        for member in ["title", "code"] {
            assert!(error[member].is_string(), "{member} in {export:#}");
        }
        assert!(error["status"].is_u64(), "{export:#}");
        let shown = error.to_string();
        let path = folder.path().display().to_string();
        for internal in ["SELECT", "short_lived", "sqlite", path.as_str()] {
            assert!(!shown.contains(internal), "{internal} in {shown}");
        }
        // A value of the wrong type is the data's fault, a table that is gone the installation's.
        let (status, code) = match dataset {
            "wrong" => (400, "value_unrepresentable"),
            _ => (500, "internal"),
        };
        let problem = http.post(EXPORT, &body).await.problem(status, code);
        let shown = problem.to_string();
        for internal in ["SELECT", "short_lived", path.as_str()] {
            assert!(!shown.contains(internal), "{internal} in {shown}");
        }
    }
    // The server is well.
    http.post(EXPORT, &export_of(&query("samples", &["id"])))
        .await
        .report_export();
}

#[tokio::test]
async fn an_export_shows_one_snapshot_and_the_next_one_what_has_changed() {
    let samples = samples();
    let (server, folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let body = export_of(&query("samples", &["id", "s"]));
    let (first, _) = http.exported(&body).await;
    let connection = Connection::open(folder.path().join("own.db")).expect("the file opens");
    connection
        .execute(
            "INSERT INTO \"order\" (id, \"group\", at, changed_at, s)
             VALUES (500, 'org_demo', '2026-05-01T10:00:00Z', '2026-05-03T10:00:00Z', 'new')",
            [],
        )
        .expect("the file can be written while it is served");
    let (second, file) = http.exported(&body).await;
    assert_eq!(second["row_count"], samples.len() + 1);
    assert!(file.ends_with(b"500,new\n"));
    assert_eq!(second["source_updated_at"], "2026-05-03T10:00:00Z");
    // The first one is what it was.
    let first_again = http.export(&text(&first["id"])).await;
    assert_eq!(first_again["row_count"], samples.len());
    assert_eq!(first_again["checksum"], first["checksum"]);
    http.file_of(&first_again).await;
}

#[tokio::test]
async fn a_dataset_may_go_without_the_formula_guard() {
    const NUMBERS: [&str; 3] = ["+49 30 1234", "-P1D", "=1+1"];
    let folder = TempDir::new().expect("a folder for the test");
    let (database, catalog) = (folder.path().join("a.db"), folder.path().join("a.toml"));
    let rows = NUMBERS.map(|number| format!("('org_demo', '2026-05-01T00:00:00Z', '{number}')"));
    let made = Connection::open(&database).and_then(|connection| {
        connection.execute_batch(&format!(
            "CREATE TABLE phones (id INTEGER PRIMARY KEY, org TEXT, at TEXT, number TEXT);
             INSERT INTO phones (org, at, number) VALUES {}",
            rows.join(",")
        ))
    });
    made.expect("SQLite writes the rows");
    let dataset = |name: &str, more: &str| {
        format!(
            "[datasets.{name}]\ntable = \"phones\"\ngrain = \"row\"\ntenant = \"org\"\ntime = \"at\"\n{more}\n\
             [datasets.{name}.dimensions]\nid = {{ sql = \"id\", type = \"integer\" }}\n\
             number = {{ sql = \"number\", type = \"string\" }}\n"
        )
    };
    let text = dataset("guarded", "") + &dataset("bare", "formula_guard = false");
    fs::write(&catalog, text).expect("the catalog is written");
    let server = Launch::new().own_data(&database, &catalog).start();
    let http = server.http();
    for (dataset, mark) in [("guarded", "'"), ("bare", "")] {
        let query = json!({
            "dataset": dataset,
            "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
            "dimensions": ["id", "number"],
            "order_by": [{"dimension": "id"}],
        });
        let cells = NUMBERS.iter().zip(1..);
        let cells: Vec<String> = cells
            .map(|(number, id)| format!("{id},{mark}{number}\n"))
            .collect();
        let expected = format!("id,number\n{}", cells.concat());
        let body = export_of(&query);
        assert_eq!(http.post(EXPORT, &body).await.content(), expected);
        let (_, file) = http.exported(&body).await;
        assert_eq!(String::from_utf8_lossy(&file), expected);
    }
}
