//! The same request twice: a double click, a retry after a lost answer, a dashboard that everybody opens.

use serde_json::{Value, json};

use crate::harness::http::{EXPORT, Http, NO_CACHE, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of, with};
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::values::text;

const KEY: (&str, &str) = ("idempotency-key", "7d3f0c52-6f7e-4b1f-9a57-2a8a0f2f2f10");

async fn ask(http: &Http, headers: &[(&str, &str)], body: &Value) -> String {
    let mut all = vec![RESPOND_ASYNC];
    all.extend_from_slice(headers);
    let answer = http.post_with(EXPORT, &all, body).await;
    assert_eq!(answer.header("idempotent-replayed"), None, "{answer:?}");
    text(&answer.accepted()["id"])
}

async fn replayed(http: &Http, headers: &[(&str, &str)], body: &Value) -> Value {
    let answer = http.post_with(EXPORT, headers, body).await;
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    answer.accepted()
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_has_one_export() {
    let server = Launch::new().start();
    let http = server.http();
    let body = export_of(&by_status());
    let first = ask(&http, &[KEY], &body).await;
    http.completed(&first).await;
    // Also where the repetition would be small enough for an answer at once, or is to wait.
    for headers in [
        vec![RESPOND_ASYNC, KEY],
        vec![KEY],
        vec![KEY, ("prefer", "wait=5")],
    ] {
        let again = replayed(&http, &headers, &body).await;
        assert_eq!(again["id"], first);
        assert_eq!(again["status"], "completed");
    }
    let other = export_of(&with(by_status(), "limit", 3));
    let refused = http.post_with(EXPORT, &[RESPOND_ASYNC, KEY], &other).await;
    refused.problem(422, "idempotency_key_reused");
    let wrong = http
        .post_with(EXPORT, &[("idempotency-key", "not one")], &body)
        .await
        .problem(400, "invalid_request");
    assert_eq!(wrong["errors"][0]["pointer"], "/headers/idempotency-key");

    http.delete(&first).await.expect(204);
    assert_ne!(ask(&http, &[KEY], &other).await, first, "it is free again");
}

#[tokio::test]
async fn what_was_answered_at_once_binds_no_key() {
    let server = Launch::new().start();
    let http = server.http();
    for limit in [2, 3] {
        let body = export_of(&with(by_status(), "limit", limit));
        let answer = http.post_with(EXPORT, &[KEY], &body).await;
        assert_eq!(answer.report_export()["row_count"], limit);
    }
}

#[tokio::test]
async fn identical_requests_share_an_export_until_its_data_is_read() {
    let source = SlowSource::new();
    let server = source.launch().env("WORKER__CONCURRENCY", 1).start();
    let http = server.http().sharing();
    let endless = ask(&http, &[], &export_of(&rows_of("endless"))).await;
    http.export_once(&endless, "running").await;
    let body = export_of(&rows_of("plain"));
    let first = ask(&http, &[], &body).await;
    assert_eq!(ask(&http, &[], &body).await, first);
    assert_ne!(ask(&http, &[NO_CACHE], &body).await, first);
    let other = export_of(&with(rows_of("plain"), "limit", 5));
    assert_ne!(ask(&http, &[], &other).await, first);

    http.cancel(&endless).await.expect(200);
    http.completed(&first).await;
    assert_ne!(ask(&http, &[], &body).await, first, "its data is old");
}

#[tokio::test]
async fn a_completed_export_is_reused_where_the_operator_allows_it() {
    let server = Launch::new().env("EXPORTS__REUSE_SECONDS", 3_600).start();
    let http = server.http().sharing();
    let body = export_of(&by_status());
    let first = ask(&http, &[], &body).await;
    let done = http.completed(&first).await;
    let answer = http.post_with(EXPORT, &[RESPOND_ASYNC], &body).await;
    assert_eq!(answer.header("retry-after"), Some("0"));
    let again = answer.accepted();
    assert_eq!(
        (&again["id"], &again["status"]),
        (&done["id"], &json!("completed"))
    );
    assert_eq!(http.file_of(&again).await, http.file_of(&done).await);
    let fresh = ask(&http, &[NO_CACHE], &body).await;
    assert_ne!(fresh, first);
}
