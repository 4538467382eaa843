//! The events of an export, read one by one while they come.

use serde_json::json;

use super::harness::{Events, Service};

impl Service {
    async fn events(&self, id: &str) -> Events {
        self.follow(&format!("/v1/exports/{id}/events"), None).await
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
