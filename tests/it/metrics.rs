//! What the processes tell of themselves, while they do what they are for.

use serde_json::{Value, json};
use waybill_test_services::exposition::Exposition;

use crate::harness::eventually;
use crate::harness::http::{EXPORT, Http, JSON, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::Server;
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::values::text;

const ATTEMPTS: &str = "waybill_worker_attempts_total";
const REQUESTS: &str = "waybill_http_requests_total";

async fn scrape(http: &Http) -> Exposition {
    let answer = http.get("/metrics").await.expect(200);
    assert_eq!(
        answer.has_header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    Exposition::read(answer.text())
}

/// The scrape of the worker's process once it says so.
async fn worker_once(
    server: &Server,
    what: &str,
    says: impl Fn(&Exposition) -> bool,
) -> Exposition {
    let worker = server.worker_http();
    eventually(what, async || {
        let read = scrape(&worker).await;
        says(&read).then_some(read)
    })
    .await
}

#[tokio::test]
async fn what_happens_moves_the_numbers() {
    const ROWS: usize = 3_000;
    let server = Launch::new()
        .demo_rows(ROWS)
        .env("EXPORTS__MAX_ROWS", ROWS)
        .worker_env("WORKER__LISTEN", "127.0.0.1:0")
        .start();
    let http = server.http();
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    let (export, file) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    http.get("/no/such/route")
        .await
        .problem(404, "route_not_found");

    let api = scrape(&http).await;
    let attempts = [("outcome", "answered")];
    assert_eq!(api.value("waybill_inline_attempts_total", &attempts), 1.0);
    let started = [("outcome", "started")];
    assert_eq!(
        api.value("waybill_http_accepted_exports_total", &started),
        1.0
    );
    for (operation, method, status) in [
        ("export_report_query", "POST", "200"),
        ("export_report_query", "POST", "202"),
        ("none", "GET", "404"),
    ] {
        let labels = [
            ("operation", operation),
            ("method", method),
            ("status", status),
        ];
        assert_eq!(api.value(REQUESTS, &labels), 1.0, "{labels:?}");
    }
    let not_found = [("code", "route_not_found")];
    assert_eq!(api.value("waybill_http_problems_total", &not_found), 1.0);
    assert_eq!(api.value("waybill_ledger_up", &[]), 1.0);

    let completed = [("outcome", "completed"), ("code", "none")];
    let worker = worker_once(&server, "the export is counted", |read| {
        read.sum(ATTEMPTS, &completed) == Some(1.0)
    })
    .await;
    let bytes = file.len() as f64;
    assert_eq!(export["row_count"], ROWS);
    assert_eq!(
        worker.value("waybill_worker_exported_rows_total", &[]),
        ROWS as f64
    );
    assert_eq!(
        worker.value("waybill_worker_exported_bytes_total", &[]),
        bytes
    );
    assert_eq!(
        worker.value("waybill_store_uploaded_bytes_total", &[]),
        bytes
    );
    for histogram in [
        "waybill_worker_queue_wait_seconds",
        "waybill_worker_snapshot_seconds",
        "waybill_worker_export_duration_seconds",
        "waybill_store_part_upload_seconds",
    ] {
        assert_eq!(
            worker.value(&format!("{histogram}_count"), &[]),
            1.0,
            "{histogram}"
        );
    }
    assert_eq!(worker.value("waybill_worker_running_exports", &[]), 0.0);
    assert_eq!(worker.value("waybill_store_part_failures_total", &[]), 0.0);
    assert_eq!(worker.value(ATTEMPTS, &[("outcome", "lease_lost")]), 0.0);
    assert_eq!(worker.value("waybill_rescue_lapsed_leases_total", &[]), 0.0);
    // A scrape is counted when it is answered, so the next one tells of it.
    let again = scrape(&server.worker_http()).await;
    let scrapes = [("operation", "get_metrics"), ("status", "200")];
    assert!(again.value(REQUESTS, &scrapes) >= 1.0);
}

#[tokio::test]
async fn every_family_of_a_worker_is_there_before_anything_happened() {
    let server = Launch::new()
        .worker_env("WORKER__LISTEN", "127.0.0.1:0")
        .start();
    let worker = server.worker_http();
    worker.get("/readyz").await.expect(200);
    let read = scrape(&worker).await;
    let families: Vec<&str> = read.families().collect();
    for family in [
        "waybill_build",
        "waybill_http_problems",
        "waybill_ledger_drain_exports_per_second",
        "waybill_ledger_oldest_queued_seconds",
        "waybill_ledger_queued_exports",
        "waybill_ledger_running_exports",
        "waybill_ledger_unknown_exports",
        "waybill_ledger_up",
        "waybill_process_start_time_seconds",
        "waybill_rescue_expired_files",
        "waybill_rescue_lapsed_leases",
        "waybill_rescue_purged_records",
        "waybill_rescue_given_up_exports",
        "waybill_rescue_redelivered_exports",
        "waybill_rescue_removed_leftovers",
        "waybill_store_part_failures",
        "waybill_store_part_retries",
        "waybill_store_part_upload_seconds",
        "waybill_store_uploaded_bytes",
        "waybill_worker_attempts",
        "waybill_worker_dropped_events",
        "waybill_worker_ended_exports",
        "waybill_worker_export_duration_seconds",
        "waybill_worker_exported_bytes",
        "waybill_worker_exported_rows",
        "waybill_worker_queue_wait_seconds",
        "waybill_worker_running_exports",
        "waybill_worker_slots",
        "waybill_worker_snapshot_seconds",
    ] {
        assert!(families.contains(&family), "{family} in {families:?}");
    }
}

#[tokio::test]
async fn failures_ends_by_clients_and_refusals_are_told_apart() {
    const MOST_QUEUED: usize = 2;
    let source = SlowSource::new();
    let server = source
        .launch()
        .env("EXPORTS__MAX_ROWS", 100)
        .env("EXPORTS__MAX_QUEUED", MOST_QUEUED)
        .env("WORKER__CONCURRENCY", 1)
        .worker_env("WORKER__LISTEN", "127.0.0.1:0")
        .start();
    let http = server.http();
    let failing = http.submit(&export_of(&rows_of("plain"))).await;
    http.export_once(&text(&failing["id"]), "failed").await;
    let endless = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&endless, "running").await;
    worker_once(&server, "it runs", |read| {
        read.sum("waybill_worker_running_exports", &[]) == Some(1.0)
    })
    .await;

    // Not the same request twice: the second would join the first.
    for limit in 0..MOST_QUEUED {
        let mut waiting = rows_of("plain");
        waiting["limit"] = json!(20_000 + limit);
        http.submit(&export_of(&waiting)).await;
    }
    for _ in 0..3 {
        let mut one_more = rows_of("plain");
        one_more["limit"] = json!(30_000);
        let refused = http
            .post_with(EXPORT, &[RESPOND_ASYNC], &export_of(&one_more))
            .await;
        refused.expect(429).come_back_later();
    }
    let api = eventually("what waits is seen", async || {
        let read = scrape(&http).await;
        let queued = read.sum("waybill_ledger_queued_exports", &[]);
        (queued == Some(MOST_QUEUED as f64)).then_some(read)
    })
    .await;
    let full = [("code", "queue_full")];
    assert_eq!(api.value("waybill_http_problems_total", &full), 3.0);
    assert_eq!(api.value("waybill_ledger_running_exports", &[]), 1.0);
    eventually("the oldest of them ages", async || {
        let read = scrape(&http).await;
        (read.sum("waybill_ledger_oldest_queued_seconds", &[]) > Some(0.0)).then_some(())
    })
    .await;
    let status = http.get("/v1/operations/status").await.expect(200).json();
    assert_eq!(status["process"]["put_off"]["queue_full"], 3);
    assert_eq!(status["organisation"]["active_exports"], 1 + MOST_QUEUED);

    http.cancel(&endless).await.expect(200);
    let counted = worker_once(&server, "the end is counted", |read| {
        read.sum(ATTEMPTS, &[("outcome", "stopped")]) == Some(1.0)
    })
    .await;
    let failed = [("outcome", "failed"), ("code", "too_many_rows")];
    assert!(counted.value(ATTEMPTS, &failed) >= 1.0);
    worker_once(&server, "the ends are told", |read| {
        ["failed", "cancelled"].iter().all(|event| {
            let ended = read.sum("waybill_worker_ended_exports_total", &[("event", event)]);
            ended >= Some(1.0)
        })
    })
    .await;
    assert_eq!(counted.value(ATTEMPTS, &[("outcome", "lease_lost")]), 0.0);
}

#[tokio::test]
async fn the_status_is_a_table_where_that_is_preferred() {
    let server = Launch::new().start();
    let http = server.http();
    let json = http.get("/v1/operations/status").await.expect(200);
    assert_eq!(json.media_type(), "application/json");
    let has_worker = !json.json()["process"]["worker"].is_null();
    assert_eq!(has_worker, server.is_one_process());
    let table = http
        .get_with("/api/v1/operations/status", &[("accept", "text/plain")])
        .await
        .expect(200);
    assert_eq!(table.media_type(), "text/plain");
    for title in [
        "This process, since it began",
        "The whole installation",
        "Your organisation",
    ] {
        assert!(table.text().contains(title), "{table:?}");
    }
    // Nobody has to know the path by heart.
    let document = http
        .send("GET", "/openapi.json", &[JSON], "")
        .await
        .expect(200)
        .json();
    for path in ["/metrics", "/v1/operations/status"] {
        assert!(document["paths"][path]["get"].is_object(), "{path}");
    }
}
