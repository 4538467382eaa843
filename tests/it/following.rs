//! The events of an export, whichever process makes it.

use serde_json::Value;

use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;
use crate::harness::slow::{SLOW_ROWS, SlowSource, rows_of};
use crate::harness::values::text;

#[tokio::test]
async fn the_end_is_told_as_it_is_read() {
    let server = shared();
    let http = server.http();
    let id = text(&http.submit(&export_of(&all_sessions(Value::Null))).await["id"]);
    let mut events = http.follow(&id, None).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "private, no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(events.headers()[name], value, "{name}");
    }
    let (mut ids, mut last) = (Vec::new(), Value::Null);
    while let Some(event) = events.next().await {
        assert_eq!(event.export["id"], id.as_str());
        assert!(!ids.contains(&event.id), "{} comes twice", event.id);
        ids.push(event.id);
        last = event.export;
    }
    assert_eq!(last["status"], "completed");
    let end = ids.last().expect("an end");
    assert!(end.ends_with("completed"), "{end}");
    // What it says of the end is what a read says, but for the link, which would be as old as the event.
    let link = format!("{}/v1/exports/{id}/download", server.api());
    assert_eq!(last["download"]["url"], link);
    assert_eq!(http.get(&link).await.status, 307);
    let mut read = http.export(&id).await;
    for export in [&mut last, &mut read] {
        export["download"] = Value::Null;
        export["freshness_lag_ms"] = Value::Null;
    }
    assert_eq!(last, read);
}

#[tokio::test]
async fn every_status_and_the_progress_are_told_as_they_come() {
    let source = SlowSource::new();
    let server = source.launch().env("WORKER__CONCURRENCY", 1).start();
    let http = server.http();
    let before = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&before, "running").await;
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    let mut events = http.follow(&id, None).await;
    let queued = events.next().await.expect("an event at once");
    let (mut statuses, mut rows) = (vec![text(&queued.export["status"])], Vec::new());
    http.cancel(&before).await.export();
    while let Some(event) = events.next().await {
        statuses.push(text(&event.export["status"]));
        rows.push(event.export["progress"]["rows"].as_u64().expect("rows"));
    }
    statuses.dedup();
    assert_eq!(statuses, ["queued", "running", "completed"]);
    assert!(rows.is_sorted(), "one attempt never goes back: {rows:?}");
    assert_eq!(rows.last(), Some(&SLOW_ROWS));
    assert!(
        rows.iter().any(|rows| (1..SLOW_ROWS).contains(rows)),
        "no progress between start and end: {rows:?}"
    );
}

#[tokio::test]
async fn an_export_that_has_ended_is_told_once() {
    let http = shared().http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let mut events = http.follow(&id, None).await;
    let end = events.next().await.expect("its end");
    assert_eq!(end.export["status"], "completed");
    assert!(events.next().await.is_none());

    // A browser comes back by itself, unless it is told that there is nothing more.
    let path = format!("/v1/exports/{id}/events");
    let again = http.get_with(&path, &[("last-event-id", &end.id)]).await;
    assert!(again.expect(204).body.is_empty());
    let again = http.follow(&id, Some("1-queued")).await.next().await;
    assert_eq!(again.expect("what is new").id, end.id);
}

#[tokio::test]
async fn a_stream_lives_while_nothing_happens_and_ends_with_its_export() {
    let source = SlowSource::new();
    let server = source.launch().env("WORKER__CONCURRENCY", 1).start();
    let http = server.http();
    let running = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&running, "running").await;
    let cancelled = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    let deleted = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    let mut of_cancelled = http.follow(&cancelled, None).await;
    let mut of_deleted = http.follow(&deleted, None).await;
    let first = of_cancelled.once("queued").await;
    of_deleted.once("queued").await;

    // Nothing changes, so nothing is sent but signs of life; nor to who comes back.
    let mut again = http.follow(&cancelled, Some(&first.id)).await;
    tokio::join!(
        of_cancelled.heartbeat(),
        of_deleted.heartbeat(),
        again.heartbeat()
    );

    http.cancel(&cancelled).await.export();
    for events in [&mut of_cancelled, &mut again] {
        assert_eq!(
            events.next().await.expect("its end").export["status"],
            "cancelled"
        );
        assert!(events.next().await.is_none());
    }
    http.delete(&deleted).await.expect(204);
    assert!(of_deleted.next().await.is_none());
}

#[tokio::test]
async fn a_service_that_stops_ends_its_streams() {
    let source = SlowSource::new();
    let mut server = source.launch().start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    let mut events = http.follow(&id, None).await;
    events.once("running").await;
    assert!(server.terminate().success());
    while let Some(event) = events.next().await {
        assert_ne!(event.export["status"], "failed", "{event:?}");
    }
}
