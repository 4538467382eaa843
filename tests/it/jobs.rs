//! Large reports: when an export becomes a job, what the job says of itself, and how it ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{EXPORT, QUERY, RESPOND_ASYNC, instant, sha256, text};
use crate::harness::launch::Launch;
use crate::harness::reports::{
    FROM, SESSION_COLUMNS, TO, all_sessions, by_status, export_of, with,
};
use crate::harness::server::{DEMO_ROWS, shared};
use crate::harness::slow::{SlowSource, rows_of, slow_lines};
use crate::harness::truth::{csv, number, session_rows};

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
async fn the_times_of_a_job_are_in_order_and_its_freshness_is_told() {
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let times = [
        "created_at",
        "started_at",
        "materialized_at",
        "completed_at",
        "expires_at",
    ]
    .map(|member| instant(&export[member]));
    // Clocks are read to the millisecond or finer, in two places.
    let slack = chrono::Duration::milliseconds(5);
    assert!(
        times.is_sorted_by(|left, right| *left <= *right + slack),
        "{export:#}"
    );
    let retention = times[4] - times[3];
    assert!((retention - chrono::Duration::days(7)).abs() < chrono::Duration::minutes(1));
    let newest: String = server
        .demo_database()
        .query_row(
            "SELECT max(updated_at) FROM sessions WHERE org_id = 'org_demo'",
            [],
            |row| row.get(0),
        )
        .expect("the demo has rows");
    assert_eq!(
        instant(&export["source_updated_at"]),
        instant(&json!(newest))
    );
    // Recomputed at every read.
    let lag = |export: &Value| export["freshness_lag_ms"].as_i64().expect("a lag");
    let id = text(&export["id"]);
    eventually("the lag grows", async || {
        (lag(&http.export(&id).await) > lag(&export)).then_some(())
    })
    .await;
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
async fn a_report_becomes_a_job_exactly_when_it_has_too_many_rows() {
    let server = Launch::new()
        .demo_rows(150)
        .env("INLINE__MAX_ROWS", 100)
        .start();
    let http = server.http();
    let at_the_bound = export_of(&all_sessions(100));
    assert_eq!(
        http.post(EXPORT, &at_the_bound).await.report_export()["row_count"],
        100
    );
    for limit in [json!(101), json!(10_000), Value::Null] {
        let body = export_of(&all_sessions(limit));
        let accepted = http.post(EXPORT, &body).await.accepted();
        let export = http.completed(&text(&accepted["id"])).await;
        let rows = body["query"]["limit"].as_u64().unwrap_or(150).min(150);
        assert_eq!(export["row_count"], rows);
        http.file_of(&export).await;
    }
    // A high limit alone makes no job: few rows pass the filter.
    let few = with(
        all_sessions(Value::Null),
        "filters",
        json!([{"field": "status", "op": "eq", "value": "failed"}]),
    );
    let report = http.post(EXPORT, &export_of(&few)).await.report_export();
    let expected = number(
        &server.demo_database(),
        "SELECT count(*) FROM sessions WHERE org_id = 'org_demo' AND status = 'failed'",
    );
    assert!(
        (1..=100).contains(&expected),
        "the demo has some failed sessions"
    );
    assert_eq!(report["row_count"], expected);

    // The bare query never becomes a job and never gives more rows than that.
    let answer = http.post(QUERY, &all_sessions(101)).await;
    match answer.status {
        200 => {
            let report = answer.json();
            assert_eq!(report["rows"].as_array().map(Vec::len), Some(100));
            assert_eq!(report["limit_reached"], true, "truncation is said");
        }
        _ => drop(answer.problem(400, "invalid_query")),
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
async fn a_report_becomes_a_job_when_it_has_too_many_bytes() {
    let server = Launch::new().env("INLINE__MAX_BYTES", 4_000).start();
    let http = server.http();
    let body = export_of(&all_sessions(100));
    let accepted = http.post(EXPORT, &body).await.accepted();
    let export = http.completed(&text(&accepted["id"])).await;
    assert!(http.file_of(&export).await.len() > 4_000);
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    // Also where the bare file is preferred: nothing was sent before it was known to be small.
    http.post_with(EXPORT, &[("accept", "text/csv")], &body)
        .await
        .accepted();
}

#[tokio::test]
async fn a_report_becomes_a_job_when_it_takes_too_long() {
    let source = SlowSource::new();
    let server = source.launch().env("INLINE__TIMEOUT_SECONDS", 1).start();
    let http = server.http();
    // Few rows, so that neither an estimate nor a count can tell; only the clock.
    let endless = with(rows_of("endless"), "limit", 1_000);
    let accepted = http.post(EXPORT, &export_of(&endless)).await.accepted();
    assert_ne!(accepted["status"], "completed");

    let problem = http
        .post(QUERY, &endless)
        .await
        .problem(503, "query_timeout");
    assert_eq!(problem["instance"], QUERY);
}

#[tokio::test]
async fn respond_async_makes_a_job_of_a_small_report() {
    let server = shared();
    let http = server.http();
    let answer = http
        .post_with(EXPORT, &[RESPOND_ASYNC], &export_of(&by_status()))
        .await;
    let applied = answer.has_header("preference-applied").to_owned();
    assert!(applied.contains("respond-async"), "{applied}");
    let accepted = answer.accepted();
    let export = http.completed(&text(&accepted["id"])).await;
    let file = http.file_of(&export).await;
    let inline = http.post(EXPORT, &export_of(&by_status())).await.content();
    assert_eq!(String::from_utf8(file).expect("UTF-8"), inline);
}

#[tokio::test]
async fn a_waiting_request_gets_the_completed_export() {
    let server = shared();
    let http = server.http();
    for prefer in ["respond-async, wait=30", "wait=30, respond-async"] {
        let body = export_of(&by_status());
        let export = http
            .post_with(EXPORT, &[("prefer", prefer)], &body)
            .await
            .accepted();
        assert_eq!(export["status"], "completed", "{prefer}");
        // The link of a waiting answer works as it is.
        http.file_of(&export).await;
    }
    let two_lines = [("prefer", "respond-async"), ("prefer", "wait=30")];
    let answer = http
        .post_with(EXPORT, &two_lines, &export_of(&by_status()))
        .await;
    assert_eq!(answer.accepted()["status"], "completed");

    let large = export_of(&all_sessions(Value::Null));
    let export = http
        .post_with(EXPORT, &[("prefer", "wait=30")], &large)
        .await
        .accepted();
    let export = http.completed(&text(&export["id"])).await;
    assert_eq!(export["row_count"], DEMO_ROWS);
}

#[tokio::test]
async fn preferences_that_make_no_sense_are_ignored() {
    let server = shared();
    let http = server.http();
    for prefer in [
        "wait=soon",
        "wait=-1",
        "wait=",
        "wait=99999999999999999999",
        "gold-plated",
        ",;=",
        "return=minimal",
    ] {
        let body = export_of(&by_status());
        http.post_with(EXPORT, &[("prefer", prefer)], &body)
            .await
            .report_export();
    }
}

#[tokio::test]
async fn a_running_job_tells_its_state_and_has_no_file_yet() {
    let source = SlowSource::new();
    let server = source.launch().env("WORKER__CONCURRENCY", 1).start();
    let http = server.http();
    let first = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&first, "running").await;
    let second = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);

    for (id, status) in [(&first, "running"), (&second, "queued")] {
        let path = format!("/v1/exports/{id}");
        let answer = http.get(&path).await;
        let hint = answer.has_header("retry-after").to_owned();
        let export = answer.export();
        assert_eq!(export["status"], status);
        assert_eq!(export["retry_after_seconds"].to_string(), hint);
        assert_eq!(export["started_at"].is_null(), status == "queued");

        let answer = http.get(&format!("{path}/download")).await;
        let hint = answer.has_header("retry-after").to_owned();
        let problem = answer.problem(409, "export_not_ready");
        assert_eq!(problem["retry_after_seconds"].to_string(), hint);
        let actions = problem["allowed_actions"].as_array();
        assert!(
            actions.is_some_and(|actions| !actions.is_empty()),
            "{problem:#}"
        );
    }

    // Waiting holds the answer while nothing changes, and gives it all the same.
    let path = format!("/v1/exports/{second}");
    let started = Instant::now();
    let export = http.get_with(&path, &[("prefer", "wait=1")]).await.export();
    assert_eq!(export["status"], "queued");
    assert!(
        started.elapsed() >= Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    // So does a request that makes the job.
    let prefer = [("prefer", "respond-async, wait=1")];
    let answer = http
        .post_with(EXPORT, &prefer, &export_of(&rows_of("plain")))
        .await;
    assert_eq!(answer.accepted()["status"], "queued");
}

#[tokio::test]
async fn waiting_ends_with_the_export() {
    let source = SlowSource::new();
    let server = source.launch().start();
    let http = server.http();
    let wait = [("prefer", "wait=30")];
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    let path = format!("/v1/exports/{id}");
    let download = format!("{path}/download");
    // queued, running, progress: none of that is what is waited for.
    let (export, link) = tokio::join!(http.get_with(&path, &wait), http.get_with(&download, &wait));
    let export = export.export();
    assert_eq!(export["status"], "completed", "{export:#}");
    let link = link.expect(307);
    let file = http.get(link.has_header("location")).await.expect(200).body;
    assert!(file == http.file_of(&export).await);
}

#[tokio::test]
async fn progress_is_seen_while_a_job_runs() {
    let source = SlowSource::new();
    let server = source.launch().start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    let mut seen: Vec<u64> = Vec::new();
    let export = eventually("the slow export is completed", async || {
        let export = http.export(&id).await;
        let progress = &export["progress"];
        let rows = progress["rows"].as_u64().expect("rows");
        assert!(progress["bytes"].is_u64(), "{progress}");
        if let Some(percent) = progress["percent"].as_f64() {
            assert!((0.0..=100.0).contains(&percent), "{progress}");
        }
        seen.push(rows);
        (export["status"] == "completed").then_some(export)
    })
    .await;
    assert!(
        seen.is_sorted(),
        "progress of one attempt never falls: {seen:?}"
    );
    let on_the_way = seen
        .iter()
        .filter(|rows| (1..40_000).contains(*rows))
        .count();
    assert!(
        on_the_way > 0,
        "no progress between start and end: {seen:?}"
    );

    let file = String::from_utf8(http.file_of(&export).await).expect("UTF-8");
    let mut lines: Vec<&str> = file.lines().skip(1).collect();
    lines.sort_unstable();
    assert!(lines == slow_lines(), "the rows of the file");
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
    assert!(
        error["title"].is_string() && error["status"].is_u64(),
        "{export:#}"
    );
    assert!(error["code"].is_string(), "{export:#}");
    assert!(export["completed_at"].is_null() || export["completed_at"].is_string());

    let problem = http
        .get(&format!("/v1/exports/{id}/download"))
        .await
        .problem(409, "export_failed");
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

#[tokio::test]
async fn an_etag_follows_the_state_of_an_export() {
    let server = shared();
    let http = server.http();
    let id = text(&http.submit(&export_of(&by_status())).await["id"]);
    let unfinished = http.get(&format!("/v1/exports/{id}")).await;
    let early_status = text(&unfinished.json()["status"]);
    let early = unfinished.has_header("etag").to_owned();
    http.completed(&id).await;

    let path = format!("/v1/exports/{id}");
    let answer = http.get(&path).await.expect(200);
    let etag = answer.has_header("etag").to_owned();
    assert!(
        etag.starts_with("W/\"") && etag.ends_with('"'),
        "a weak ETag, got {etag}"
    );
    let cache = answer.has_header("cache-control");
    assert!(
        cache.contains("private") && cache.contains("no-store"),
        "{cache}"
    );

    let in_a_list = format!("\"other\", {etag}");
    for matching in [etag.as_str(), in_a_list.as_str(), "*"] {
        let answer = http
            .get_with(&path, &[("if-none-match", matching)])
            .await
            .expect(304);
        assert!(answer.body.is_empty(), "{answer:?}");
        assert_eq!(answer.has_header("etag"), etag);
    }
    for other in ["\"other\"", "W/\"\"", "nonsense"] {
        http.get_with(&path, &[("if-none-match", other)])
            .await
            .expect(200);
    }
    if early_status != "completed" {
        assert_ne!(early, etag, "the state changed");
        http.get_with(&path, &[("if-none-match", &early)])
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn unknown_exports_are_not_found() {
    let server = shared();
    let http = server.http();
    for id in [
        "export_01930000000070008000000000000000",
        "export_",
        "export_01930000-0000-7000-8000-000000000000",
        "nonsense",
        "%FF%FE",
        "%2e%2e%2fetc%2fpasswd",
        "export_' OR 1=1 --".replace(' ', "%20").as_str(),
        "x".repeat(5_000).as_str(),
    ] {
        for path in [
            format!("/v1/exports/{id}"),
            format!("/api/v1/exports/{id}/download"),
        ] {
            http.get(&path).await.problem(404, "export_not_found");
        }
    }
}

#[tokio::test]
async fn a_refused_request_makes_no_export() {
    let server = Launch::new().start();
    let http = server.http();
    let mut wrong = export_of(&by_status());
    wrong["query"]["limit"] = json!(-1);
    http.post_with(EXPORT, &[RESPOND_ASYNC], &wrong)
        .await
        .problem(400, "invalid_query");
    let headers = [RESPOND_ASYNC, ("accept", "image/png")];
    let answer = http
        .post_with(EXPORT, &headers, &export_of(&by_status()))
        .await;
    answer.problem(406, "not_acceptable");
    let list = http.get("/v1/exports").await.expect(200).json();
    assert_eq!(list["data"], json!([]));
    assert_eq!(list["next_cursor"], Value::Null);
}
