//! The events of an export, read one by one while they come.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Events, Service};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

impl Service {
    async fn events(&self, id: &str) -> Events {
        self.follow(&format!("/v1/exports/{id}/events"), None).await
    }

    /// Reads the events that a client is sent who has seen this one, to their end.
    async fn events_after(&self, id: &str, seen: &str) -> Answer {
        let path = format!("/v1/exports/{id}/events");
        self.get_with(&path, &[("last-event-id", seen)]).await
    }
}

#[tokio::test]
async fn every_change_is_told_until_the_end() {
    let service = Service::start().await;
    let id = service.accept().await;
    let mut events = service.events(&id).await;
    let queued = events.next().await.expect("one at once");
    let lease = service.claim().await;
    let running = events.next().await.expect("a change");
    service.complete(&lease, WEEK).await;
    let completed = events.next().await.expect("the end");
    assert!(events.next().await.is_none(), "nothing comes after the end");

    for (event, status) in [
        (&queued, "queued"),
        (&running, "running"),
        (&completed, "completed"),
    ] {
        assert_eq!(event.name, "export");
        let export: &Value = &event.data;
        assert_eq!(
            (&export["id"], &export["status"]),
            (&id.as_str().into(), &status.into())
        );
        assert!(event.id.ends_with(status), "{}", event.id);
    }
    assert_ne!(queued.id, running.id);
    let mut read = service.get(&format!("/v1/exports/{id}")).await.json();
    // A link would be as old as the event.
    assert_eq!(
        completed.data["download"]["url"],
        format!("http://localhost/v1/exports/{id}/download")
    );
    read["download"] = completed.data["download"].clone();
    assert_eq!(completed.data, read);
}

#[tokio::test]
async fn nobody_stores_or_holds_back_a_stream() {
    let service = Service::start().await;
    let id = service.accept().await;
    let events = service.events(&id).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "private, no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(events.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_change_that_no_hint_told_of_is_told_all_the_same() {
    let service = Service::start().await;
    let id = service.accept().await;
    let mut events = service.events(&id).await;
    events.next().await.expect("one at once");
    service.change_behind_its_back("UPDATE exports SET progress_rows = 7, revision = revision + 1");
    let changed = events.next().await.expect("a change");
    assert_eq!(changed.data["progress"]["rows"], 7);
}

#[tokio::test]
async fn a_ledger_that_is_away_does_not_end_a_stream() {
    let service = Service::start().await;
    let id = service.accept().await;
    let mut events = service.events(&id).await;
    events.next().await.expect("one at once");
    service.change_behind_its_back("ALTER TABLE exports RENAME TO away");
    let refused = service.get(&format!("/v1/exports/{id}/events")).await;
    assert_eq!(refused.problem(), (503, "database_unavailable".to_owned()));
    // Longer than it takes to read again.
    let silent = tokio::time::timeout(Duration::from_secs(2), events.next()).await;
    assert!(silent.is_err(), "neither an event nor an end: {silent:?}");
    service.change_behind_its_back(
        "ALTER TABLE away RENAME TO exports;
         UPDATE exports SET progress_rows = 7, revision = revision + 1",
    );
    let changed = events.next().await.expect("a change");
    assert_eq!(changed.data["progress"]["rows"], 7);
}

#[tokio::test]
async fn a_stream_ends_when_its_export_is_deleted() {
    let service = Service::start().await;
    let id = service.accept().await;
    let mut events = service.events(&id).await;
    events.next().await.expect("one at once");
    let deleted = service.delete(&id).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_when_the_service_drains() {
    let service = Service::start().await;
    let id = service.accept().await;
    let mut events = service.events(&id).await;
    events.next().await.expect("one at once");
    service.shutdown.cancel();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_comes_back_is_sent_what_is_new() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}/events");
    let seen = service.events(&id).await.next().await.expect("an event").id;
    let mut again = service.follow(&path, Some(&seen)).await;
    let lease = service.claim().await;
    let running = again.next().await.expect("a change");
    assert_eq!(running.data["status"], "running");
    service.complete(&lease, WEEK).await;

    let answer = service.events_after(&id, &seen).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text().contains("completed"), "{answer:?}");
    let end = again.next().await.expect("the end");
    let answer = service.events_after(&id, &end.id).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.body.is_empty());
    // Another export's, or nonsense: everything is new.
    let answer = service.events_after(&id, "99-running").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_stream_without_a_place_is_told_when_to_come_back() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}/events");
    let places = service.places();
    let refused = service.get(&path).await;
    assert_eq!(refused.problem(), (429, "overloaded".to_owned()));
    let problem = refused.json();
    assert!(
        problem["retry_after_seconds"]
            .as_u64()
            .is_some_and(|seconds| seconds > 0)
    );
    assert_eq!(
        problem["allowed_actions"],
        json!([{"rel": "retry-later", "operation_id": "stream_export_events"}])
    );
    drop(places);
    let mut events = service.events(&id).await;
    events.next().await.expect("one at once");
    let left = service.places().len();
    drop(events);
    assert!(
        service.places().len() > left,
        "a stream that is over gave its place back"
    );
}
