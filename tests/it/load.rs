//! More than the server can do: it says so with a number, loses nothing it accepted, and recovers.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::eventually;
use crate::harness::http::{EXPORT, Http, QUERY, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{FROM, TO, all_sessions, by_status, export_of};
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::values::text;

/// A report over every session: some work.
fn some_work() -> Value {
    export_of(&json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["day", "status", "agent", "model"],
        "measures": ["session_count", "total_cost", "avg_duration_ms"],
        "order_by": [{"measure": "total_cost", "direction": "desc"}],
        "limit": 50,
    }))
}

#[tokio::test]
async fn a_flood_is_answered_or_put_off_and_every_accepted_export_completes() {
    const INLINE: usize = 120;
    const JOBS: usize = 40;
    let server = Launch::new()
        .demo_rows(20_000)
        .env("INLINE__SLOTS", 1)
        .env("INLINE__QUEUE_WAIT_MS", 50)
        .env("EXPORTS__MAX_QUEUED", 5)
        .env("WORKER__CONCURRENCY", 1)
        .start();
    let mut flood = JoinSet::new();
    for number in 0..INLINE + JOBS {
        let http = server.http();
        flood.spawn(async move {
            if number % 4 == 3 {
                let body = export_of(&all_sessions(Value::Null));
                http.post_with(EXPORT, &[RESPOND_ASYNC], &body).await
            } else {
                http.post(EXPORT, &some_work()).await
            }
        });
    }
    let (mut answered, mut accepted) = (0, Vec::new());
    let (mut overloaded, mut queue_full) = (0, 0);
    while let Some(answer) = flood.join_next().await {
        let answer = answer.expect("the request was answered");
        match answer.status {
            200 => {
                assert_eq!(answer.report_export()["row_count"], 50);
                answered += 1;
            }
            202 => accepted.push(text(&answer.accepted()["id"])),
            429 => match answer.come_back_later() {
                (code, _) if code == "overloaded" => overloaded += 1,
                (code, _) if code == "queue_full" => queue_full += 1,
                (code, _) => panic!("a 429 with {code}"),
            },
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(
        answered + accepted.len() + overloaded + queue_full,
        INLINE + JOBS
    );
    assert!(answered > 0, "some were answered");
    assert!(!accepted.is_empty(), "some were accepted");
    assert!(overloaded > 0, "one slot cannot serve {INLINE} at once");
    assert!(queue_full > 0, "a queue of 5 cannot hold {JOBS}");

    let http = server.http();
    for id in &accepted {
        let export = http.completed(id).await;
        assert_eq!(export["row_count"], 20_000);
    }
    http.file_of(&http.export(&accepted[0]).await).await;
    // What was put off left nothing behind, and there is room again.
    let list = http.get("/v1/exports?limit=100").await.expect(200).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(accepted.len()));
    http.post(EXPORT, &some_work()).await.report_export();
    http.submit(&export_of(&by_status())).await;
}

#[tokio::test]
async fn the_queue_is_full_at_its_bound_and_not_before() {
    const MOST_QUEUED: usize = 3;
    let source = SlowSource::new();
    let server = source
        .launch()
        .env("EXPORTS__MAX_QUEUED", MOST_QUEUED)
        .env("WORKER__CONCURRENCY", 1)
        .start();
    let http = server.http();
    let running = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&running, "running").await;
    for _ in 0..MOST_QUEUED {
        http.submit(&export_of(&rows_of("plain"))).await;
    }
    for headers in [vec![RESPOND_ASYNC], vec![]] {
        let answer = http
            .post_with(EXPORT, &headers, &export_of(&rows_of("plain")))
            .await;
        let (code, _) = answer.expect(429).come_back_later();
        assert_eq!(code, "queue_full");
    }
    let list = http.get("/v1/exports").await.expect(200).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1 + MOST_QUEUED));
    // What needs no queue is still answered.
    let mut few = rows_of("plain");
    few["limit"] = json!(10);
    http.post(EXPORT, &export_of(&few)).await.report_export();
}

#[tokio::test]
async fn an_organisation_has_so_many_unfinished_exports_and_no_more() {
    const MOST: usize = 2;
    let source = SlowSource::new();
    let server = source
        .launch()
        .env("EXPORTS__MAX_ACTIVE_PER_ORG", MOST)
        .env("WORKER__CONCURRENCY", 1)
        .start();
    let http = server.http();
    let running = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&running, "running").await;
    let queued = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    let refused = async || {
        let body = export_of(&rows_of("plain"));
        http.post_with(EXPORT, &[RESPOND_ASYNC], &body).await
    };
    let (code, _) = refused().await.expect(429).come_back_later();
    assert_eq!(code, "too_many_active_exports");
    // Nothing was recorded, and whoever ends one may start one.
    let list = http.get("/v1/exports").await.expect(200).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(MOST));
    http.cancel(&queued).await.expect(200);
    refused().await.accepted();
}

#[tokio::test]
async fn a_large_export_leaves_a_slot_for_small_ones() {
    let source = SlowSource::new();
    let server = source
        .launch()
        .env("WORKER__CONCURRENCY", 2)
        .env("WORKER__SMALL_SLOTS", 1)
        .env("EXPORTS__LARGE_ROWS", 10_000)
        .start();
    let http = server.http();
    let first = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&first, "running").await;
    let second = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    // All rows are more than a small export has, whether they could be counted or not; these are not.
    let mut few = rows_of("plain");
    few["limit"] = json!(10);
    for _ in 0..3 {
        let small = text(&http.submit(&export_of(&few)).await["id"]);
        http.completed(&small).await;
    }
    assert_eq!(http.export(&second).await["status"], "queued");
    // Nobody has to wake it once more.
    http.cancel(&first).await.expect(200);
    http.completed(&second).await;
}

#[tokio::test]
async fn without_a_free_slot_a_request_is_put_off_and_a_lost_client_frees_its_slot() {
    let source = SlowSource::new();
    let server = source
        .launch()
        .env("INLINE__SLOTS", 1)
        .env("INLINE__QUEUE_WAIT_MS", 50)
        .env("INLINE__TIMEOUT_SECONDS", 300)
        .start();
    let http = server.http();
    let mut endless = rows_of("endless");
    endless["limit"] = json!(10_000);
    let mut few = rows_of("plain");
    few["limit"] = json!(10);

    let occupying = Http::new(server.api());
    let body = export_of(&endless);
    let occupant = tokio::spawn(async move { occupying.post(EXPORT, &body).await.status });
    for (target, body) in [(EXPORT, export_of(&few)), (QUERY, few.clone())] {
        let code = eventually("the only slot is taken", async || {
            let answer = http.post(target, &body).await;
            match answer.status {
                200 => None,
                _ => Some(answer.expect(429).come_back_later().0),
            }
        })
        .await;
        assert_eq!(code, "overloaded");
    }
    // A job needs no slot.
    let job = http.submit(&export_of(&few)).await;
    http.completed(&text(&job["id"])).await;

    assert!(!occupant.is_finished(), "the occupant waits for its report");
    occupant.abort();
    drop(occupant.await);
    eventually("the slot is free again", async || {
        let answer = http.post(EXPORT, &export_of(&few)).await;
        match answer.status {
            429 => None,
            _ => Some(answer.report_export()),
        }
    })
    .await;
}
