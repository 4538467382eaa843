//! What is answered at once, and what is not.

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use waybill_report::caller::OrgId;

use super::harness::{
    EXPORT, ONE_OF_ITS_OWN, QUERY, ROWS, Service, endless_query, request, rows_query, small_export,
    small_query,
};

const CSV: &str = "status,session_count\n\"'=run\"\"ning\"\"\",10\ncompleted,10\nfailed,10\n";

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
async fn a_query_is_answered_with_its_rows() {
    let service = Service::start().await;
    let answer = service.post(QUERY, &[], &small_query()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let result = answer.json();
    assert_eq!(
        result["rows"][1],
        json!({"status": "completed", "session_count": 10})
    );
    assert_eq!(
        result["columns"][1],
        json!({"name": "session_count", "kind": "measure", "type": "integer"})
    );
    assert_eq!(result["limit_reached"], false);
    assert!(result["freshness_lag_ms"].is_i64(), "{result}");
}

#[tokio::test]
async fn a_query_is_cut_at_the_rows_that_are_answered_at_once() {
    let service = Service::start().await;
    for (limit, rows, reached) in [
        (json!(100), 20, true),
        (json!(5), 5, true),
        (json!(20), 20, true),
    ] {
        let result = service.post(QUERY, &[], &rows_query(&limit)).await.json();
        assert_eq!(
            result["rows"].as_array().map(Vec::len),
            Some(rows),
            "limit {limit}"
        );
        assert_eq!(result["limit_reached"], reached, "limit {limit}");
    }
}

#[tokio::test]
async fn a_query_that_outgrows_its_bounds_leads_to_an_export() {
    let bytes = Service::with(|inline, _| inline.max_bytes = 100).await;
    let answer = bytes.post(QUERY, &[], &small_query()).await;
    assert_eq!(answer.problem(), (400, "invalid_query".to_owned()));
    assert_eq!(
        answer.faults(),
        [("/limit".to_owned(), "invalid_limit".to_owned())]
    );

    let time = Service::with(|inline, _| inline.timeout_seconds = 1).await;
    let answer = time.post(QUERY, &[], &endless_query()).await;
    assert_eq!(answer.problem(), (503, "query_timeout".to_owned()));
    let actions = answer.json()["allowed_actions"].clone();
    assert_eq!(actions[0]["operation_id"], "export_report_query");
    assert_eq!(
        actions[0]["href"],
        "http://localhost/v1/reports/query/export"
    );
    assert_eq!(actions[1]["rel"], "retry-later");
}

#[tokio::test]
async fn a_small_export_comes_in_an_envelope() {
    let service = Service::start().await;
    let answer = service.post(EXPORT, &[], &small_export()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("vary"), Some("accept"));
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_eq!(answer.header("preference-applied"), None);
    let export = answer.json();
    assert_eq!(export["content"], CSV);
    assert_eq!(export["format"], "csv");
    assert_eq!(export["content_type"], "text/csv");
    assert_eq!(export["filename"], "sessions-20260424-20260524.csv");
    assert_eq!(export["row_count"], 3);
    assert_eq!(export["limit_reached"], false);
    assert_eq!(export["as_of"], export["materialized_at"]);
    assert_eq!(export["source_updated_at"], "2026-05-01T00:00:00Z");
    assert!(export["freshness_lag_ms"].is_i64());
    let members: Vec<&String> = export.as_object().expect("an object").keys().collect();
    assert_eq!(members.len(), 10, "{members:?}");
}

#[tokio::test]
async fn what_is_unknown_is_absent_from_the_envelope() {
    let service = Service::start().await;
    let body = json!({ "query": rows_query(&json!(3)), "format": "csv" });
    let export = service.post(EXPORT, &[], &body).await.json();
    assert_eq!(export["limit_reached"], true);
    assert_eq!(
        export.get("freshness_lag_ms"),
        None,
        "the dataset has no update column"
    );
    assert_eq!(export.get("source_updated_at"), None);
}

#[tokio::test]
async fn json_content_is_the_result_of_the_query() {
    let service = Service::start().await;
    let body = json!({ "query": small_query(), "format": "json" });
    let export = service.post(EXPORT, &[], &body).await.json();
    assert_eq!(export["content_type"], "application/json");
    let content: Value =
        serde_json::from_str(export["content"].as_str().expect("a text")).expect("JSON");
    let instant = |value: &Value| -> DateTime<Utc> {
        let text = value.as_str().expect("a text");
        text.parse().expect("an instant")
    };
    // The file writes only the digits that are needed, the envelope writes them by threes.
    assert_eq!(instant(&content["as_of"]), instant(&export["as_of"]));
    assert_eq!(content["rows"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn the_bare_file_is_for_those_who_prefer_it() {
    let service = Service::start().await;
    let accept = [("accept", "text/csv, application/json;q=0.9")];
    let answer = service.post(EXPORT, &accept, &small_export()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), CSV);
    assert_eq!(
        answer.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"sessions-20260424-20260524.csv\"")
    );
    assert_eq!(answer.header("waybill-row-count"), Some("3"));
    assert_eq!(answer.header("waybill-limit-reached"), Some("false"));
    assert!(
        answer
            .header("waybill-as-of")
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn what_is_not_small_becomes_a_job() {
    let rows = rows_query(&Value::Null);
    let bytes = Service::with(|inline, _| inline.max_bytes = 50).await;
    let time = Service::with(|inline, _| inline.timeout_seconds = 1).await;
    for (service, query) in [
        (Service::start().await, &rows),
        (bytes, &rows),
        (time, &endless_query()),
    ] {
        let accept = [("accept", "text/csv")];
        let body = json!({ "query": query });
        let answer = service.post(EXPORT, &accept, &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
}

#[tokio::test]
async fn a_limit_within_the_bound_is_small_however_many_rows_there_are() {
    let service = Service::with(|inline, _| inline.max_rows = ROWS as u64 - 1).await;
    let export = |limit: usize| json!({ "query": rows_query(&json!(limit)) });
    let answer = service.post(EXPORT, &[], &export(ROWS - 1)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["limit_reached"], true);
    let answer = service.post(EXPORT, &[], &export(ROWS)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_client_may_ask_for_a_job() {
    let service = Service::start().await;
    let prefer = [("prefer", "respond-async")];
    let answer = service.post(EXPORT, &prefer, &small_export()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    let export = answer.json();
    let self_url = export["self_url"].as_str().expect("a link");
    let id = export["id"].as_str().expect("an id");
    assert_eq!(self_url, format!("http://localhost/v1/exports/{id}"));
    assert_eq!(answer.header("location"), Some(self_url));
    assert_eq!(
        answer.header("retry-after"),
        Some(export["retry_after_seconds"].to_string().as_str())
    );
}

#[tokio::test]
async fn links_keep_the_prefix_by_which_a_request_came() {
    let service = Service::start().await;
    let prefer = [("prefer", "respond-async")];
    let answer = service
        .post("/api/v1/reports/query/export", &prefer, &small_export())
        .await;
    let location = answer.header("location").expect("a link");
    let path = location.strip_prefix("http://localhost").expect("the host");
    assert!(path.starts_with("/api/v1/exports/export_"), "{path}");
    let answer = service.get(path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["self_url"], location);
}

#[tokio::test]
async fn the_published_example_has_one_fault() {
    let service = Service::start().await;
    let mut body = json!({
        "format": "csv",
        "query": {
            "dataset": "sessions", "dimensions": ["status"],
            "filters": [{"field": "status", "op": "eq", "value": "example"}], "limit": 100,
            "measures": ["session_count"],
            "order_by": [{"dimension": "org_id", "direction": "asc", "measure": "session_count"}],
            "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
        },
    });
    let answer = service.post(EXPORT, &[], &body).await;
    assert_eq!(answer.problem(), (400, "invalid_query".to_owned()));
    assert_eq!(
        answer.faults(),
        [(
            "/query/order_by/0".to_owned(),
            "invalid_order_by".to_owned()
        )]
    );
    body["query"]["order_by"] = json!([{"measure": "session_count", "direction": "asc"}]);
    let answer = service.post(EXPORT, &[], &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["content"], "status,session_count\n");
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
