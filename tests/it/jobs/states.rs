//! What a job says of itself, and what ends a wait for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::EXPORT;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::{DEMO_ROWS, shared};
use crate::harness::slow::{SlowSource, rows_of, slow_lines};
use crate::harness::values::{instant, text};

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
async fn a_waiting_request_gets_the_completed_export() {
    let server = shared();
    let http = server.http();
    for prefer in ["respond-async, wait=30", "wait=30, respond-async"] {
        let body = export_of(&by_status());
        let answer = http.post_with(EXPORT, &[("prefer", prefer)], &body).await;
        let applied = answer.has_header("preference-applied");
        assert_eq!(applied, "respond-async, wait=30", "{prefer}");
        let export = answer.accepted();
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
    let answer = http.get_with(&path, &[("prefer", "wait=1")]).await;
    let queued = answer.has_header("etag").to_owned();
    assert_eq!(answer.export()["status"], "queued");
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
    let download = format!("{path}/download");
    let answer = http.get_with(&download, &[("prefer", "wait=1")]).await;
    assert_eq!(answer.has_header("preference-applied"), "wait=1");
    answer.problem(409, "export_not_ready");

    let known = [("if-none-match", queued.as_str())];
    http.get_with(&path, &known).await.expect(304);
    http.cancel(&second).await.export();
    let answer = http.get_with(&path, &known).await.expect(200);
    assert_ne!(answer.has_header("etag"), queued);
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
    for answer in [&export, &link] {
        assert_eq!(answer.has_header("preference-applied"), "wait=30");
    }
    assert_eq!(export.header("retry-after"), None);
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
        "%20",
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
