//! Several APIs and several workers over one database and one store: one service to its clients.

use serde_json::{Value, json};

use crate::harness::http::{EXPORT, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{SESSION_COLUMNS, all_sessions, by_status, export_of};
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::truth::{csv, session_rows};
use crate::harness::values::{sha256, text};

#[tokio::test]
async fn two_apis_and_two_workers_give_the_same_bytes_inline_and_stored() {
    const ROWS: usize = 5_000;
    let server = Launch::new().demo_rows(ROWS).processes(2, 2).start();
    let expected = csv(
        &SESSION_COLUMNS,
        &session_rows(&server.demo_database(), "org_demo"),
    );
    let body = export_of(&all_sessions(Value::Null));
    for http in server.each_http() {
        let inline = http.post(EXPORT, &body).await.report_export();
        assert_eq!(inline["row_count"], ROWS);
        assert_eq!(
            inline["content"].as_str().map(str::as_bytes),
            Some(&expected[..])
        );
        let streamed = http
            .post_with(EXPORT, &[("accept", "text/csv")], &body)
            .await
            .expect(200);
        assert!(streamed.body == expected, "the streamed file");
        let (export, stored) = http.exported(&body).await;
        assert_eq!(export["row_count"], ROWS);
        assert!(stored == expected, "the stored object");
    }
}

#[tokio::test]
async fn every_export_runs_once_whoever_took_it_and_whoever_is_asked() {
    const EXPORTS: usize = 40;
    let server = Launch::new().demo_rows(2_000).processes(2, 2).start();
    let apis = server.each_http();
    let mut ids = Vec::new();
    for number in 0..EXPORTS {
        let accepted = apis[number % 2]
            .submit(&export_of(&all_sessions(Value::Null)))
            .await;
        ids.push(text(&accepted["id"]));
    }
    let mut files = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        // Asked where it was not accepted.
        let http = &apis[(number + 1) % 2];
        let export = http.completed(id).await;
        assert_eq!(export["attempt"], 1, "{export:#}");
        files.push(sha256(&http.file_of(&export).await));
        assert_eq!(server.objects_of(id).len(), 1, "one object of {id}");
    }
    files.dedup();
    assert_eq!(files.len(), 1, "every file is the same");
    let claims = server
        .services()
        .database()
        .psql("SELECT DISTINCT epoch FROM waybill.exports");
    assert_eq!(claims, "1", "nothing ran twice");
    for http in &apis {
        let list = http.get("/v1/exports?limit=100").await.expect(200).json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(EXPORTS));
    }
}

#[tokio::test]
async fn a_wait_on_one_process_hears_what_another_did() {
    let server = Launch::new().demo_rows(500).processes(2, 1).start();
    let apis = server.each_http();
    let body = export_of(&by_status());
    let waited = apis[0]
        .post_with(EXPORT, &[("prefer", "respond-async, wait=30")], &body)
        .await
        .accepted();
    assert_eq!(waited["status"], "completed", "{waited:#}");
    let accepted = apis[0].submit(&body).await;
    let target = format!("/v1/exports/{}", text(&accepted["id"]));
    let answer = apis[1].get_with(&target, &[("prefer", "wait=30")]);
    let export = answer.await.export();
    assert_eq!(export["status"], "completed", "{export:#}");
}

#[tokio::test]
async fn a_large_result_becomes_a_job_before_any_work_and_knows_how_far_it_is() {
    const ROWS: usize = 20_000;
    let server = Launch::new()
        .demo_rows(ROWS)
        .env("INLINE__MAX_ROWS", 1_000)
        .start();
    let http = server.http();
    server.services().database().psql("ANALYZE");
    let answer = http
        .post(EXPORT, &export_of(&all_sessions(Value::Null)))
        .await;
    let accepted = answer.accepted();
    let estimated = accepted["progress"]["estimated_rows"]
        .as_u64()
        .expect("the planner's estimate is known at once");
    let exact = ROWS as u64;
    assert!(
        (exact / 2..=exact * 2).contains(&estimated),
        "{estimated} of {exact} rows"
    );
    let export = http.completed(&text(&accepted["id"])).await;
    assert_eq!(export["row_count"], ROWS);
    assert_eq!(export["progress"]["percent"], 100.0);
    // A limit that is small makes the result small, whatever the table holds.
    let small = http.post(EXPORT, &export_of(&all_sessions(10))).await;
    assert_eq!(small.report_export()["row_count"], 10);
}

#[tokio::test]
async fn nothing_of_another_organisation_is_in_any_answer() {
    let server = Launch::new().demo_rows(2_000).start();
    let http = server.http();
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": "2026-04-01T00:00:00Z", "to": "2026-06-30T00:00:00Z"},
        "dimensions": ["org_id"],
        "measures": ["session_count"],
    });
    let report = http.post(EXPORT, &export_of(&query)).await.report_export();
    assert_eq!(report["content"], "org_id,session_count\norg_demo,2000\n");
    let widened = json!({
        "dataset": "sessions",
        "time_range": query["time_range"],
        "dimensions": ["org_id"],
        "filters": [{"field": "org_id", "op": "in", "value": ["org_acme", "org_globex"]}],
    });
    let report = http
        .post(EXPORT, &export_of(&widened))
        .await
        .report_export();
    assert_eq!(report["row_count"], 0);
    let others = server
        .services()
        .database()
        .psql("SELECT count(*) > 0 FROM sessions WHERE org_id <> 'org_demo'");
    assert_eq!(others, "t", "there is something that could leak");
    let held = http
        .post_with(EXPORT, &[RESPOND_ASYNC], &export_of(&widened))
        .await
        .accepted();
    let export = http.completed(&text(&held["id"])).await;
    assert_eq!(export["row_count"], 0);
}

#[tokio::test]
async fn an_export_is_followed_and_cancelled_at_whichever_process() {
    let source = SlowSource::new();
    let server = source.launch().processes(2, 2).start();
    let apis = server.each_http();
    let id = text(&apis[0].submit(&export_of(&rows_of("endless"))).await["id"]);
    let (mut here, mut there) = (
        apis[0].follow(&id, None).await,
        apis[1].follow(&id, None).await,
    );
    here.once("running").await;
    there.once("running").await;
    apis[1].cancel(&id).await.export();
    let (here, there) = (here.once("cancelled").await, there.once("cancelled").await);
    assert_eq!(here.id, there.id);
    assert_eq!(here.export["completed_at"], there.export["completed_at"]);
}
