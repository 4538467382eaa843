//! When an export becomes a job.

use serde_json::{Value, json};

use crate::harness::answer::faults;
use crate::harness::http::{EXPORT, QUERY, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of, with};
use crate::harness::server::shared;
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::truth::number;
use crate::harness::values::text;

#[tokio::test]
async fn a_report_becomes_a_job_exactly_when_it_has_too_many_rows() {
    let server = Launch::new()
        .demo_rows(150)
        .env("INLINE__MAX_ROWS", 100)
        .start();
    let http = server.http();
    let at_the_bound = export_of(&all_sessions(100));
    let report = http.post(EXPORT, &at_the_bound).await.report_export();
    assert_eq!(
        (&report["row_count"], &report["limit_reached"]),
        (&json!(100), &json!(true)),
        "a limit within the bound is small, however many rows there are"
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
    for (limit, rows) in [(101, 100), (100, 100), (5, 5)] {
        let answer = http.post(QUERY, &all_sessions(limit)).await;
        let report = answer.expect(200).json();
        assert_eq!(report["rows"].as_array().map(Vec::len), Some(rows));
        assert_eq!(report["limit_reached"], true, "truncation is said");
    }
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
    // The bare query has to ask for less.
    let answer = http.post(QUERY, &all_sessions(100)).await;
    let problem = answer.problem(400, "invalid_query");
    let expected = ("/limit".to_owned(), "invalid_limit".to_owned());
    assert_eq!(faults(&problem), [expected].into());
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
    let csv = [("accept", "text/csv")];
    let answer = http.post_with(EXPORT, &csv, &export_of(&endless)).await;
    answer.accepted();

    let problem = http
        .post(QUERY, &endless)
        .await
        .problem(503, "query_timeout");
    assert_eq!(problem["instance"], QUERY);
    let actions = &problem["allowed_actions"];
    assert_eq!(actions[0]["operation_id"], "export_report_query");
    assert_eq!(actions[0]["href"], format!("{}{EXPORT}", server.api()));
    assert_eq!(actions[1]["rel"], "retry-later");
}

#[tokio::test]
async fn respond_async_makes_a_job_of_a_small_report() {
    let server = shared();
    let http = server.http();
    let answer = http
        .post_with(EXPORT, &[RESPOND_ASYNC], &export_of(&by_status()))
        .await;
    assert_eq!(answer.has_header("preference-applied"), "respond-async");
    let accepted = answer.accepted();
    let export = http.completed(&text(&accepted["id"])).await;
    let file = http.file_of(&export).await;
    let inline = http.post(EXPORT, &export_of(&by_status())).await.content();
    assert_eq!(String::from_utf8(file).expect("UTF-8"), inline);
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
