//! What is answered at once, and what is not.

use futures::FutureExt as _;
use http::{Method, StatusCode};
use serde_json::json;
use waybill_report::caller::OrgId;

use super::harness::{EXPORT, ONE_OF_ITS_OWN, QUERY, Service, request, small_export, small_query};

#[tokio::test]
async fn the_catalog_lists_what_the_caller_may_use() {
    let service = Service::start().await;
    let answer = service.get("/v1/reports/catalog").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let catalog = answer.json();
    let datasets = catalog["datasets"].as_array().expect("datasets");
    let names: Vec<&str> = datasets
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["endless", "session_rows", "sessions", "wrong"]);
    assert_eq!(
        datasets[2],
        json!({
            "name": "sessions", "dimensions": ["status"], "measures": ["session_count"],
            "filter_fields": ["status", "duration_ms"],
            "description": "Sessions, grouped", "grain": "aggregate", "max_range_days": 370,
            "fields": [
                {"name": "status", "type": "string", "role": "dimension", "description": null,
                 "ops": ["eq", "neq", "gt", "gte", "lt", "lte", "in"]},
                {"name": "session_count", "type": "integer", "role": "measure", "description": null, "ops": []},
                {"name": "duration_ms", "type": "integer", "role": "filter", "description": "Milliseconds",
                 "ops": ["eq", "neq", "gt", "gte", "lt", "lte", "in"]},
            ],
        })
    );
}

#[tokio::test]
async fn no_slot_is_held_without_need() {
    let service = Service::with(|inline, _| inline.slots = 1).await;
    let slot = service
        .state
        .inline
        .admission
        .slot(&OrgId::new("org_demo"))
        .await
        .expect("a slot");
    for (path, body) in [(QUERY, small_query()), (EXPORT, small_export())] {
        let answer = service.post(path, &[], &body).await;
        assert_eq!(answer.problem(), (429, "overloaded".to_owned()));
        assert_eq!(answer.json()["allowed_actions"][0]["rel"], "retry-later");
    }
    let prefer = [("prefer", "respond-async")];
    let answer = service.post(EXPORT, &prefer, &small_export()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "a job needs no slot");
    drop(slot);
    let body = small_export();
    let waiting = service.post(EXPORT, &[("prefer", "respond-async, wait=30")], &body);
    let small = service.post(EXPORT, &[], &body);
    tokio::select! {
        answer = small => assert_eq!(answer.status, StatusCode::OK, "waiting needs none either"),
        answer = waiting => panic!("nobody runs the job: {answer:?}"),
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let service = Service::with(|_, exports| exports.max_queued = 1).await;
    service.accept().await;
    let mut last = 0;
    for _ in 0..3 {
        let answer = service.post(EXPORT, &ONE_OF_ITS_OWN, &small_export()).await;
        assert_eq!(answer.problem(), (429, "queue_full".to_owned()));
        let problem = answer.json();
        assert_eq!(
            problem["allowed_actions"][0]["operation_id"],
            "export_report_query"
        );
        let seconds = problem["retry_after_seconds"].as_u64().expect("seconds");
        assert!(
            seconds > last,
            "each gets a later place: {seconds} after {last}"
        );
        last = seconds;
    }
}

#[tokio::test]
async fn preflight_like_requests_are_answered() {
    let service = Service::start().await;
    let answer = service
        .send(request(Method::HEAD, "/v1/reports/catalog"))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    let answer = service
        .send(request(Method::HEAD, "/v1/exports/export_0"))
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(
        answer
            .header("content-length")
            .is_some_and(|length| length != "0")
    );
}

#[tokio::test]
async fn a_large_body_waits_for_its_turn_and_a_small_one_does_not() {
    let service = Service::start().await;
    let mut large = small_export();
    let values: Vec<String> = (0..1_000).map(|number| format!("{number:040}")).collect();
    large["query"]["filters"] = json!([{"field": "status", "op": "in", "value": values}]);
    let mut turns = Vec::new();
    let org = OrgId::new("org_demo");
    let admission = &service.state.inline.admission;
    while let Some(Ok(turn)) = admission.planning_permit(&org).now_or_never() {
        turns.push(turn);
    }
    let waits = service.post(EXPORT, &[], &large);
    let mut waits = std::pin::pin!(waits);
    assert!(waits.as_mut().now_or_never().is_none());
    let small = service.post(EXPORT, &[], &small_export()).await;
    assert_eq!(small.status, StatusCode::OK);
    drop(turns);
    let answer = waits.await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["row_count"], 0);
}
