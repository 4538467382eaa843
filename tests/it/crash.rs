//! Ends of the process, wanted and not: what was accepted is finished by the next start, once.

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::http::Http;
use crate::harness::launch::Launch;
use crate::harness::reports::{SESSION_COLUMNS, all_sessions, by_status, export_of};
use crate::harness::slow::{SlowSource, rows_of, slow_lines};
use crate::harness::truth::{csv, session_rows};
use crate::harness::values::{sha256, text};

#[tokio::test]
async fn an_export_that_was_killed_while_running_is_completed_once_by_the_next_start() {
    let source = SlowSource::new();
    let mut server = source.launch().env("WORKER__LEASE_SECONDS", 2).start();
    let id = text(&server.http().submit(&export_of(&rows_of("slow"))).await["id"]);
    server.http().export_once(&id, "running").await;
    server.kill();
    server.start_again();

    let http = server.http();
    let export = http.completed(&id).await;
    assert_eq!(export["attempt"], 1, "nobody knows why the process died");
    let file = http.file_of(&export).await;
    let lines = String::from_utf8(file.clone()).expect("UTF-8");
    let mut lines: Vec<&str> = lines.lines().skip(1).collect();
    assert_eq!(export["row_count"], lines.len());
    lines.sort_unstable();
    assert!(lines == slow_lines(), "the rows of the file");

    eventually("one object is left", async || {
        let objects = server.objects_of(&id);
        assert!(!objects.is_empty(), "the published object exists");
        (objects.len() == 1).then_some(())
    })
    .await;
    let object = std::fs::read(&server.objects_of(&id)[0]).expect("the object is readable");
    assert_eq!(sha256(&object), sha256(&file));
    let list = http.get("/v1/exports").await.expect(200).json();
    assert_eq!(
        list["data"].as_array().map(Vec::len),
        Some(1),
        "no second export"
    );
}

#[tokio::test]
async fn an_export_that_is_killed_again_and_again_ends_in_a_state_with_a_reason() {
    let source = SlowSource::new();
    let mut server = source
        .launch()
        .env("WORKER__LEASE_SECONDS", 1)
        .env("EXPORTS__MAX_ATTEMPTS", 2)
        .start();
    let id = text(&server.http().submit(&export_of(&rows_of("endless"))).await["id"]);
    // The first time a neighbour may have done it. From then on it runs alone.
    let mut started = Value::Null;
    for attempt in [1, 1, 2] {
        let export = reading(&server.http(), &id, &started).await;
        assert_eq!(export["attempt"], attempt);
        started = export["started_at"].clone();
        server.kill();
        server.start_again();
    }
    let export = server.http().export_once(&id, "failed").await;
    assert_eq!(export["error"]["code"], "worker_lost", "{export:#}");
}

#[tokio::test]
async fn neighbours_of_an_export_that_kills_its_process_do_not_pay_for_it() {
    let source = SlowSource::new();
    let mut server = source
        .launch()
        // Long enough for a busy machine: a lease that lapses while its holder lives counts as a death.
        .env("WORKER__LEASE_SECONDS", 3)
        .env("EXPORTS__MAX_ATTEMPTS", 1)
        .start();
    let http = server.http();
    let bad = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    let good = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    reading(&http, &good, &Value::Null).await;
    let started = reading(&http, &bad, &Value::Null).await["started_at"].clone();
    server.kill();
    server.start_again();
    let http = server.http();
    reading(&http, &bad, &started).await;
    // Whose lease lapses first runs first; never both at once.
    eventually("the neighbour does not run", async || {
        let neighbour = http.export(&good).await;
        let waits = neighbour["materialized_at"].is_null();
        (waits || neighbour["status"] == "completed").then_some(())
    })
    .await;
    server.kill();
    server.start_again();
    let http = server.http();
    let failed = http.export_once(&bad, "failed").await;
    assert_eq!(failed["error"]["code"], "worker_lost", "{failed:#}");
    let export = http.completed(&good).await;
    assert_eq!(export["attempt"], 1);
    assert_eq!(export["row_count"], slow_lines().len());
}

/// The export once an attempt reads its data that began at another time than `started` before.
async fn reading(http: &Http, id: &str, started: &Value) -> Value {
    eventually(&format!("{id} is read"), async || {
        let export = http.export(id).await;
        let reads = export["status"] == "running"
            && export["started_at"] != *started
            && export["materialized_at"] != Value::Null;
        reads.then_some(export)
    })
    .await
}

#[tokio::test]
async fn accepted_exports_survive_a_kill_at_once() {
    let mut server = Launch::new()
        .demo_rows(20_000)
        .env("WORKER__LEASE_SECONDS", 2)
        .start();
    let mut ids = Vec::new();
    for _ in 0..6 {
        let accepted = server
            .http()
            .submit(&export_of(&all_sessions(Value::Null)))
            .await;
        ids.push(text(&accepted["id"]));
    }
    server.kill();
    server.start_again();
    let expected = csv(
        &SESSION_COLUMNS,
        &session_rows(&server.demo_database(), "org_demo"),
    );
    let http = server.http();
    for id in &ids {
        let export = http.completed(id).await;
        assert_eq!(export["row_count"], 20_000);
        assert_eq!(sha256(&http.file_of(&export).await), sha256(&expected));
        eventually("one object is left", async || {
            (server.objects_of(id).len() == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn everything_survives_an_ordinary_restart() {
    let mut server = Launch::new().demo_rows(500).start();
    let (before, file) = server
        .http()
        .exported(&export_of(&all_sessions(Value::Null)))
        .await;
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    server.start_again();

    let http = server.http();
    let id = text(&before["id"]);
    let after = http.export(&id).await;
    assert_eq!(after["status"], "completed");
    for member in [
        "created_at",
        "completed_at",
        "materialized_at",
        "row_count",
        "checksum",
        "query",
    ] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert!(http.file_of(&after).await == file, "through a fresh link");
    let answer = http
        .get(&format!("/v1/exports/{id}/download"))
        .await
        .expect(307);
    assert!(
        http.get(answer.has_header("location"))
            .await
            .expect(200)
            .body
            == file
    );
    // The demo is what it was, and new exports are made.
    let (_, again) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    assert!(again == file, "the same data");
}

#[tokio::test]
async fn a_stop_hands_running_work_back_and_the_next_start_finishes_it() {
    let source = SlowSource::new();
    let mut server = source
        .launch()
        .env("SHUTDOWN__GRACE_SECONDS", 1)
        .env("WORKER__CONCURRENCY", 1)
        .start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    let queued = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    http.export_once(&id, "running").await;
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    server.start_again();
    let http = server.http();
    let export = http.completed(&id).await;
    assert_eq!(export["attempt"], 1, "a hand-back is no failure");
    assert_eq!(export["row_count"], slow_lines().len());
    http.file_of(&export).await;
    http.completed(&queued).await;
}

#[tokio::test]
async fn a_stop_lets_small_work_finish() {
    let mut server = Launch::new().demo_rows(500).start();
    let id = text(&server.http().submit(&export_of(&by_status())).await["id"]);
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    server.start_again();
    let export = server.http().completed(&id).await;
    assert_eq!(export["attempt"], 1);
}
