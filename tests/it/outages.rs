//! A database or a store that is away: the processes stay, say so, and go on by themselves.

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::http::{EXPORT, Http, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{SESSION_COLUMNS, all_sessions, by_status, export_of};
use crate::harness::server::Server;
use crate::harness::slow::{SlowSource, rows_of, slow_lines};
use crate::harness::truth::{csv, session_rows};
use crate::harness::values::{sha256, text};

fn server(rows: usize) -> Server {
    Launch::new()
        .own_services()
        .demo_rows(rows)
        .env("INLINE__TIMEOUT_SECONDS", 5)
        .start()
}

/// A server on this source whose workers keep their exports for a minute without the ledger.
fn patient_server(source: &SlowSource) -> Server {
    source
        .launch()
        .own_services()
        .env("WORKER__LEASE_SECONDS", 60)
        .start()
}

/// Waits until `/readyz` says that this is missing.
async fn not_ready(http: &Http, missing: &str) {
    eventually(&format!("{missing} is missed"), async || {
        let answer = http.get("/readyz").await;
        (answer.status == 503 && answer.text().contains(missing)).then_some(())
    })
    .await;
    http.get("/livez").await.expect(200);
}

async fn ready(http: &Http) {
    eventually("it is ready again", async || {
        (http.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_goes_and_comes_back() {
    let server = server(500);
    let http = server.http();
    let (before, file) = http.exported(&export_of(&all_sessions(Value::Null))).await;

    server.services().cluster().stop();
    not_ready(&http, "database").await;
    let body = export_of(&by_status());
    for (headers, target) in [(&[][..], EXPORT), (&[RESPOND_ASYNC][..], EXPORT)] {
        let (code, _) = http
            .post_with(target, headers, &body)
            .await
            .come_back_later();
        assert_eq!(code, "database_unavailable");
    }
    let (code, _) = http.get("/v1/exports").await.come_back_later();
    assert_eq!(code, "database_unavailable");

    server.services().cluster().start_again();
    ready(&http).await;
    http.post(EXPORT, &body).await.report_export();
    let export = http.export(&text(&before["id"])).await;
    assert!(http.file_of(&export).await == file);
    let (after, again) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    assert_eq!(after["attempt"], 1);
    assert!(again == file);
}

#[tokio::test]
async fn a_store_that_is_away_counts_against_no_export() {
    const ROWS: usize = 3_000;
    let server = server(ROWS);
    let http = server.http();
    server.services().store().stop();
    not_ready(&http, "storage").await;
    let accepted = http.submit(&export_of(&all_sessions(Value::Null))).await;
    let id = text(&accepted["id"]);
    eventually("a worker has tried it", async || {
        let export = http.export(&id).await;
        (export["started_at"] != Value::Null).then_some(())
    })
    .await;
    // Small reports need no store.
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();

    server.services().store().start_again();
    ready(&http).await;
    let export = http.completed(&id).await;
    assert_eq!(
        export["attempt"], 1,
        "an outage is no failure of the export"
    );
    let expected = csv(
        &SESSION_COLUMNS,
        &session_rows(&server.demo_database(), "org_demo"),
    );
    assert_eq!(sha256(&http.file_of(&export).await), sha256(&expected));
}

#[tokio::test]
async fn a_ledger_that_is_away_for_a_moment_costs_no_running_export() {
    let source = SlowSource::new();
    let server = patient_server(&source);
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    http.export_once(&id, "running").await;
    server.services().cluster().stop();
    not_ready(&http, "database").await;
    server.services().cluster().start_again();
    ready(&http).await;
    let export = http.completed(&id).await;
    assert_eq!(export["attempt"], 1, "{export:#}");
    assert_eq!(export["row_count"], slow_lines().len());
    http.file_of(&export).await;
}

#[tokio::test]
async fn a_ledger_that_is_away_for_a_moment_ends_no_stream() {
    let source = SlowSource::new();
    let server = patient_server(&source);
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    let mut events = http.follow(&id, None).await;
    events.once("running").await;
    server.services().cluster().stop();
    not_ready(&http, "database").await;
    for answer in [http.cancel(&id).await, http.delete(&id).await] {
        assert_eq!(answer.come_back_later().0, "database_unavailable");
    }
    let refused = http.get(&format!("/v1/exports/{id}/events")).await;
    assert_eq!(refused.come_back_later().0, "database_unavailable");
    server.services().cluster().start_again();
    events.once("completed").await;
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_table_that_is_gone_fails_the_export_and_tells_the_client_nothing_of_it() {
    let server = server(500);
    let http = server.http();
    let database = server.services().database();
    database.psql("ALTER TABLE sessions RENAME TO hidden_sessions");
    let body = export_of(&all_sessions(Value::Null));
    let problem = http.post(EXPORT, &body).await.problem(500, "internal");
    assert!(!problem.to_string().contains("relation"), "{problem:#}");
    let id = text(&http.submit(&body).await["id"]);
    let failed = http.export_once(&id, "failed").await;
    assert_eq!(failed["error"]["code"], "internal", "{failed:#}");
    let error = text(&failed["error"]["detail"]);
    for internal in ["relation", "sessions", "SELECT", "127.0.0.1"] {
        assert!(!error.contains(internal), "{internal} in {error}");
    }
    let logged = server.logged();
    assert!(logged.contains(&id), "the export's id is in the log");
    assert!(logged.contains("does not exist"), "the cause is in the log");
    let running = database.psql(
        "SELECT count(*) FROM pg_stat_activity
         WHERE state <> 'idle' AND pid <> pg_backend_pid() AND query LIKE '%COPY%'",
    );
    assert_eq!(running, "0", "no query is left behind");
    database.psql("ALTER TABLE hidden_sessions RENAME TO sessions");
    http.exported(&body).await;
}
