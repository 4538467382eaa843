//! What the service counts, and the status that shows some of it.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};
use waybill_report::caller::OrgId;
use waybill_test_services::exposition::Exposition;

use super::harness::{
    EXPORT, QUERY, Service, endless_query, rows_query, small_export, small_query,
};

const STATUS: &str = "/v1/operations/status";
const REQUESTS: &str = "waybill_http_requests_total";

async fn scrape(service: &Service) -> Exposition {
    let answer = service.get("/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    Exposition::read(answer.text())
}

#[tokio::test]
async fn every_family_of_an_api_is_there_from_the_first_scrape_but_one() {
    let service = Service::start().await;
    // A request is counted when it ends.
    assert_eq!(scrape(&service).await.sum(REQUESTS, &[]), None);
    let read = scrape(&service).await;
    let families: BTreeSet<&str> = read.families().collect();
    let own = [
        "waybill_http_accepted_exports",
        "waybill_http_problems",
        "waybill_http_request_duration_seconds",
        "waybill_http_requests",
        "waybill_http_requests_in_flight",
        "waybill_http_waiting_places",
        "waybill_http_waiting_places_in_use",
        "waybill_inline_attempts",
        "waybill_inline_slots",
        "waybill_inline_slots_in_use",
    ];
    assert!(families.is_superset(&BTreeSet::from(own)), "{families:?}");
    assert_eq!(read.value("waybill_inline_slots", &[]), 2.0);
    assert_eq!(read.value("waybill_http_waiting_places", &[]), 1_000.0);
    assert_eq!(read.value("waybill_http_waiting_places_in_use", &[]), 0.0);
    assert_eq!(read.value("waybill_http_requests_in_flight", &[]), 1.0);
    let scrapes = [
        ("operation", "get_metrics"),
        ("method", "GET"),
        ("status", "200"),
    ];
    assert_eq!(read.value(REQUESTS, &scrapes), 1.0);
}

#[tokio::test]
async fn requests_are_counted_by_operation_whichever_way_they_came() {
    let service = Service::start().await;
    service.get("/v1/exports/export_0").await;
    service.get("/api/v1/exports/x").await;
    service.get("/v1/reports/catalog").await;
    service.get("/no/such/route").await;
    service.get("/api/livez").await;
    service.get(EXPORT).await;
    let read = scrape(&service).await;
    let requests =
        |operation, status| read.sum(REQUESTS, &[("operation", operation), ("status", status)]);
    assert_eq!(requests("get_export", "404"), Some(2.0));
    assert_eq!(requests("get_report_catalog", "200"), Some(1.0));
    assert_eq!(requests("none", "404"), Some(2.0));
    assert_eq!(requests("none", "405"), Some(1.0));
    let timed = |operation| {
        let name = "waybill_http_request_duration_seconds_count";
        read.value(name, &[("operation", operation)])
    };
    assert_eq!(timed("get_export"), 2.0);
    assert_eq!(timed("none"), 3.0);
    assert_eq!(timed("run_report_query"), 0.0);
}

#[tokio::test]
async fn a_held_request_says_nothing_of_how_quick_the_service_is() {
    let service = Service::start().await;
    let id = service.accept().await;
    service.cancel(&id).await;
    let path = format!("/v1/exports/{id}");
    service.get_with(&path, &[("prefer", "wait=1")]).await;
    let read = scrape(&service).await;
    let of_export = [("operation", "get_export")];
    assert_eq!(read.value(REQUESTS, &of_export), 1.0);
    let timed = "waybill_http_request_duration_seconds_count";
    assert_eq!(read.value(timed, &of_export), 0.0);
}

#[tokio::test]
async fn attempts_and_problems_are_counted_by_what_they_came_to() {
    let service = Service::with(|inline, _| {
        inline.slots = 1;
        inline.timeout_seconds = 1;
    })
    .await;
    service.post(QUERY, &[], &small_query()).await;
    service.post(EXPORT, &[], &small_export()).await;
    // This is known to be too large before it is tried.
    let rows = json!({ "query": rows_query(&json!(null)) });
    service.post(EXPORT, &[], &rows).await;
    service.post(QUERY, &[], &endless_query()).await;
    let wrong = json!({ "dataset": "wrong", "time_range": super::harness::range(), "dimensions": ["status"] });
    service.post(QUERY, &[], &wrong).await;
    let slot = service
        .state
        .inline
        .admission
        .slot(&OrgId::new("org_demo"))
        .await
        .expect("a slot");
    service.post(QUERY, &[], &small_query()).await;

    let read = scrape(&service).await;
    assert_eq!(read.value("waybill_inline_slots_in_use", &[]), 1.0);
    drop(slot);
    let attempts = |outcome| read.value("waybill_inline_attempts_total", &[("outcome", outcome)]);
    assert_eq!(attempts("answered"), 2.0);
    assert_eq!(attempts("outgrew_rows"), 0.0);
    assert_eq!(attempts("outgrew_time"), 1.0);
    assert_eq!(attempts("failed"), 1.0);
    assert_eq!(attempts("abandoned"), 0.0);
    let problems = |code| read.value("waybill_http_problems_total", &[("code", code)]);
    assert_eq!(problems("overloaded"), 1.0);
    assert_eq!(problems("query_timeout"), 1.0);
    assert_eq!(problems("internal"), 1.0);
    assert_eq!(problems("queue_full"), 0.0);
    let accepted = "waybill_http_accepted_exports_total";
    assert_eq!(read.value(accepted, &[("outcome", "started")]), 1.0);
    assert_eq!(read.value("waybill_ledger_queued_exports", &[]), 1.0);
}

/// Drops a request whose answer would never come, as a server does when its client is gone.
#[tokio::test]
async fn a_client_that_leaves_is_counted_too() {
    let service = Service::start().await;
    let endless = json!({ "query": endless_query() });
    let left = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        service.post(EXPORT, &[], &endless),
    );
    assert!(left.await.is_err(), "nobody can answer that");
    let read = scrape(&service).await;
    let left = [("operation", "export_report_query"), ("status", "none")];
    assert_eq!(read.value(REQUESTS, &left), 1.0);
    let abandoned = [("outcome", "abandoned")];
    assert_eq!(read.value("waybill_inline_attempts_total", &abandoned), 1.0);
    assert_eq!(read.value("waybill_http_requests_in_flight", &[]), 1.0);
}

#[tokio::test]
async fn metrics_are_there_when_the_ledger_is_not() {
    let service = Service::start().await;
    service.break_ledger();
    let read = scrape(&service).await;
    assert_eq!(read.value("waybill_ledger_up", &[]), 0.0);
    assert_eq!(read.sum("waybill_ledger_queued_exports", &[]), None);

    let status = service.get(STATUS).await;
    assert_eq!(status.status, StatusCode::OK);
    let status = status.json();
    assert_eq!(status["installation"], Value::Null);
    assert_eq!(status["organisation"], Value::Null);
    // Nothing listens where the store should be.
    assert_eq!(status["process"]["missing"], json!(["storage"]));
}

#[tokio::test]
async fn the_status_tells_the_numbers_and_whose_they_are() {
    let service = Service::start().await;
    service.post(EXPORT, &[], &small_export()).await;
    let prefer = [("prefer", "respond-async")];
    for query in [small_query(), rows_query(&json!(null))] {
        let export = json!({ "query": query });
        let accepted = service.post(EXPORT, &prefer, &export).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED);
    }
    service.claim().await;
    let status = service.get(STATUS).await;
    assert_eq!(status.header("vary"), Some("accept"));
    let status = status.json();
    let process = &status["process"];
    assert_eq!(process["version"], "test");
    assert_eq!(process["requests_in_flight"], 1);
    assert_eq!(process["inline_slots"], json!({ "in_use": 0, "total": 2 }));
    assert_eq!(process["waiting_places"]["total"], 1_000);
    assert_eq!(process["inline_attempts"]["answered"], 1);
    assert_eq!(process["put_off"]["queue_full"], 0);
    assert_eq!(process["worker"], Value::Null, "it has none");
    let lanes = ["small", "large"].map(|lane| &status["installation"][lane]);
    let sum = |member: &str| {
        lanes
            .iter()
            .filter_map(|lane| lane[member].as_u64())
            .sum::<u64>()
    };
    assert_eq!((sum("queued"), sum("running")), (1, 1), "{status:#}");
    assert!(
        status["installation"]["drain_per_second"].is_f64(),
        "{status:#}"
    );
    assert_eq!(
        status["organisation"],
        json!({ "active_exports": 2, "max_active_exports": 20 })
    );

    let accept = [("accept", "text/plain, application/json;q=0.5")];
    let table = service.get_with(STATUS, &accept).await;
    assert_eq!(
        table.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let shown: Vec<String> = table.text().lines().map(in_one_space).collect();
    for line in [
        "ready no, missing: storage",
        "inline slots in use 0 of 2",
        "429 overloaded 0",
        "active exports 2 of 20",
    ] {
        assert!(
            shown.iter().any(|shown| shown == line),
            "{line} in {shown:#?}"
        );
    }
    let refused = service.get_with(STATUS, &[("accept", "image/png")]).await;
    assert_eq!(refused.problem(), (406, "not_acceptable".to_owned()));
}

/// A line of a table, however wide its columns are.
fn in_one_space(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
