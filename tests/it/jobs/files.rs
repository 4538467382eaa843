//! The file of a job, against the database.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{EXPORT, QUERY};
use crate::harness::launch::Launch;
use crate::harness::reports::{
    FROM, SESSION_COLUMNS, TO, all_sessions, by_status, export_of, with,
};
use crate::harness::server::{DEMO_ROWS, shared};
use crate::harness::truth::{csv, number, session_rows};
use crate::harness::values::{sha256, text};

#[tokio::test]
async fn every_session_is_exported_exactly_as_the_database_has_it() {
    let server = shared();
    let http = server.http();
    let body = export_of(&all_sessions(Value::Null));
    let accepted = http.post(EXPORT, &body).await.accepted();
    assert_eq!(accepted["dataset"], "session_rows");
    assert_eq!(accepted["format"], "csv");
    assert_eq!(accepted["content_type"], "text/csv");
    assert_eq!(accepted["filename"], "session_rows-20260424-20260524.csv");
    assert_eq!(accepted["query"]["limit"], Value::Null);

    let export = http.completed(&text(&accepted["id"])).await;
    let file = http.file_of(&export).await;
    let rows = session_rows(&server.demo_database(), "org_demo");
    assert_eq!(rows.len(), DEMO_ROWS);
    assert_eq!(export["row_count"], rows.len());
    assert_eq!(export["limit_reached"], false);
    assert_eq!(export["progress"]["rows"], rows.len());
    assert_eq!(export["progress"]["bytes"], file.len());
    assert_eq!(export["attempt"], 1);

    // Cell by cell with a reader that is not ours, then byte by byte.
    let mut reader = csv::Reader::from_reader(&file[..]);
    assert_eq!(
        reader.headers().expect("a header row"),
        &SESSION_COLUMNS[..]
    );
    let mut records = reader.records();
    for (number, row) in rows.iter().enumerate() {
        let record = records
            .next()
            .expect("as many records as rows")
            .expect("a record");
        for (cell, expected) in record.iter().zip(row) {
            assert_eq!(cell, expected.as_read(), "row {number}");
        }
    }
    assert!(records.next().is_none(), "no more records than rows");
    let expected = csv(&SESSION_COLUMNS, &rows);
    assert_eq!(sha256(&file), sha256(&expected), "the bytes of the file");
}

#[tokio::test]
async fn rows_of_other_organisations_are_in_no_file() {
    let server = shared();
    let database = server.demo_database();
    let ours = number(
        &database,
        "SELECT count(*) FROM sessions WHERE org_id = 'org_demo'",
    );
    let all = number(&database, "SELECT count(*) FROM sessions");
    assert!(ours < all, "the demo holds other organisations");
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["org_id", "session_id"],
        "limit": null,
    });
    let (export, file) = server.http().exported(&export_of(&query)).await;
    assert_eq!(export["row_count"], ours);
    let file = String::from_utf8(file).expect("UTF-8");
    let header_and_rows = file.lines();
    assert!(
        header_and_rows
            .skip(1)
            .all(|line| line.starts_with("org_demo,"))
    );
}

#[tokio::test]
async fn a_result_without_rows_is_a_file_with_a_header() {
    let server = shared();
    let nothing = with(
        all_sessions(Value::Null),
        "filters",
        json!([{"field": "status", "op": "eq", "value": "no such status"}]),
    );
    let (export, file) = server.http().exported(&export_of(&nothing)).await;
    assert_eq!(export["row_count"], 0);
    assert_eq!(
        String::from_utf8(file).expect("UTF-8"),
        SESSION_COLUMNS.join(",") + "\n"
    );
}

#[tokio::test]
async fn a_job_writes_json_too() {
    let server = shared();
    let http = server.http();
    let mut query = all_sessions(12_000);
    query["dimensions"] = json!(["session_id", "cost", "title"]);
    let (export, file) = http
        .exported(&json!({"query": query, "format": "json"}))
        .await;
    assert_eq!(export["content_type"], "application/json");
    assert_eq!(export["filename"], "session_rows-20260424-20260524.json");
    let report: Value = serde_json::from_slice(&file).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 12_000);
    assert_eq!(export["row_count"], 12_000);
    assert_eq!(export["limit_reached"], true);
    assert_eq!(report["limit_reached"], true);
    let expected = session_rows(&server.demo_database(), "org_demo");
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row["session_id"], expected[0].as_read());
        assert_eq!(row["cost"].to_string(), expected[9].as_read());
    }
}

#[tokio::test]
async fn a_limit_of_no_rows_gives_the_header_alone() {
    let server = shared();
    let http = server.http();
    let none = with(by_status(), "limit", 0);
    let report = http.post(EXPORT, &export_of(&none)).await.report_export();
    assert_eq!(
        (&report["row_count"], &report["limit_reached"]),
        (&json!(0), &json!(true))
    );
    let header = text(&report["content"]);
    assert_eq!(header.lines().count(), 1, "{header}");
    let whole = http.post(EXPORT, &export_of(&by_status())).await.content();
    assert!(whole.starts_with(&header), "{whole}");
    let (export, file) = http.exported(&export_of(&none)).await;
    assert!(file == header.as_bytes());
    assert_eq!(
        (&export["row_count"], &export["limit_reached"]),
        (&json!(0), &json!(true))
    );

    let answer = http.post(QUERY, &none).await.expect(200).json();
    assert_eq!(
        (&answer["rows"], &answer["limit_reached"]),
        (&json!([]), &json!(true))
    );
    let body = with(export_of(&none), "format", "json");
    let content = http.post(EXPORT, &body).await.content();
    let content: Value = serde_json::from_str(&content).expect("JSON");
    assert_eq!(content["rows"], json!([]), "{content}");
}

#[tokio::test]
async fn too_many_rows_are_a_failure_and_no_shorter_file() {
    let server = Launch::new()
        .demo_rows(300)
        .env("EXPORTS__MAX_ROWS", 200)
        .start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&all_sessions(Value::Null))).await["id"]);
    let export = http.export_once(&id, "failed").await;
    let error = &export["error"];
    assert!(error["title"].is_string(), "{export:#}");
    assert_eq!(error["code"], "too_many_rows");
    assert_eq!(error["status"], 400);
    assert_eq!(error["type"], "/problems/too_many_rows");
    assert_eq!(error["instance"], format!("/v1/exports/{id}"));
    assert!(export["completed_at"].is_null() || export["completed_at"].is_string());

    let problem = http
        .get(&format!("/v1/exports/{id}/download"))
        .await
        .problem(409, "export_failed");
    let detail = text(&problem["detail"]);
    assert!(detail.contains(&text(&error["detail"])), "{problem:#}");
    assert!(detail.contains("200"), "the bound: {problem:#}");
    let actions = problem["allowed_actions"].as_array();
    assert!(
        actions.is_some_and(|actions| !actions.is_empty()),
        "{problem:#}"
    );
    eventually("nothing is left of the failed file", async || {
        server.objects_of(&id).is_empty().then_some(())
    })
    .await;
    // As many rows as are allowed are no failure.
    let (export, _) = http.exported(&export_of(&all_sessions(200))).await;
    assert_eq!(export["row_count"], 200);
}
