//! Exports that their clients cancel or delete: they stop, and nothing of them is left.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{EXPORT, Http};
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of, with};
use crate::harness::server::{Server, shared};
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::values::{instant, text};

/// A server that runs one export at a time, and one that runs for as long as it may.
async fn busy(source: &SlowSource) -> (Server, String) {
    let server = source.launch().env("WORKER__CONCURRENCY", 1).start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("endless"))).await["id"]);
    http.export_once(&id, "running").await;
    (server, id)
}

/// The only worker has stopped what it ran: it makes another export.
async fn the_worker_is_free(http: &Http) {
    let (export, _) = http.exported(&export_of(&rows_of("plain"))).await;
    assert_eq!(export["attempt"], 1);
}

async fn nothing_is_left_of(server: &Server, id: &str) {
    eventually(&format!("nothing is left of {id}"), async || {
        server.objects_of(id).is_empty().then_some(())
    })
    .await;
}

fn rels(of: &Value) -> Vec<String> {
    let actions = of["allowed_actions"].as_array().into_iter().flatten();
    actions.map(|action| text(&action["rel"])).collect()
}

#[tokio::test]
async fn a_queued_export_that_is_cancelled_never_runs() {
    let source = SlowSource::new();
    let (server, running) = busy(&source).await;
    let http = server.http();
    let id = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    let cancelled = http.cancel(&id).await.export();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["id"], id.as_str());
    assert_eq!(rels(&cancelled), ["self", "delete"]);
    assert!(instant(&cancelled["completed_at"]) >= instant(&cancelled["created_at"]));

    // Cancelling again, as a client does whose answer was lost.
    assert_eq!(http.cancel(&id).await.export(), cancelled);
    http.cancel(&running).await.export();
    the_worker_is_free(&http).await;
    let export = http.export(&id).await;
    assert_eq!(export, cancelled);
    assert!(export["started_at"].is_null(), "{export:#}");
    let problem = http.get(&format!("/v1/exports/{id}/download")).await;
    problem.problem(409, "export_failed");
    let list = http.get("/v1/exports?status=cancelled").await.expect(200);
    assert_eq!(list.json()["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_running_export_that_is_cancelled_stops() {
    let source = SlowSource::new();
    let (server, id) = busy(&source).await;
    let http = server.http();
    let cancelled = http.cancel(&id).await.export();
    assert_eq!(cancelled["status"], "cancelled");
    the_worker_is_free(&http).await;
    nothing_is_left_of(&server, &id).await;
    assert_eq!(http.cancel(&id).await.export()["status"], "cancelled");
    let export = http.export(&id).await;
    assert_eq!(export["attempt"], 1, "a cancel is no failure: {export:#}");
}

#[tokio::test]
async fn a_completed_export_cannot_be_cancelled_and_keeps_its_file() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let problem = http.cancel(&id).await;
    let problem = problem.problem(409, "export_already_finished");
    assert_eq!(problem["detail"], "The export is completed.");
    assert_eq!(rels(&problem), ["self", "download", "delete"]);
    for action in problem["allowed_actions"].as_array().expect("actions") {
        assert!(text(&action["href"]).starts_with(server.api()), "{action}");
    }
    let still = http.export(&id).await;
    assert_eq!(still["status"], "completed");
    assert_eq!(http.file_of(&still).await, file);
}

#[tokio::test]
async fn a_failed_export_cannot_be_cancelled() {
    let server = Launch::new().env("EXPORTS__MAX_ROWS", 50).start();
    let http = server.http();
    let id = text(&http.submit(&export_of(&all_sessions(Value::Null))).await["id"]);
    let failed = http.export_once(&id, "failed").await;
    let problem = http.cancel(&id).await;
    let problem = problem.problem(409, "export_already_finished");
    assert_eq!(problem["detail"], "The export is failed.");
    assert_eq!(rels(&problem), ["self", "delete", "retry"]);
    assert_eq!(http.export(&id).await["error"], failed["error"]);
    http.delete(&id).await.expect(204);
    http.knows_nothing_of(&id).await;
}

#[tokio::test]
async fn a_completed_export_that_is_deleted_is_gone_with_its_file() {
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&all_sessions(500))).await;
    let (other, _) = http.exported(&export_of(&all_sessions(500))).await;
    let (id, other) = (text(&export["id"]), text(&other["id"]));
    assert_eq!(server.objects_of(&id).len(), 1);
    let answer = http.delete(&id).await.expect(204);
    assert!(answer.body.is_empty(), "{answer:?}");
    http.knows_nothing_of(&id).await;
    nothing_is_left_of(&server, &id).await;
    let link = text(&export["download"]["url"]);
    assert_eq!(
        http.get(&link).await.status,
        404,
        "a link ends with the file"
    );
    let export = http.export(&other).await;
    http.file_of(&export).await;
}

#[tokio::test]
async fn an_unfinished_export_that_is_deleted_stops_and_is_gone() {
    let source = SlowSource::new();
    let (server, running) = busy(&source).await;
    let http = server.http();
    let queued = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
    for id in [&queued, &running] {
        http.delete(id).await.expect(204);
        http.knows_nothing_of(id).await;
    }
    the_worker_is_free(&http).await;
    for id in [&queued, &running] {
        http.knows_nothing_of(id).await;
        nothing_is_left_of(&server, id).await;
    }
    let cancelled = text(&http.submit(&export_of(&rows_of("slow"))).await["id"]);
    http.cancel(&cancelled).await.export();
    http.delete(&cancelled).await.expect(204);
    http.knows_nothing_of(&cancelled).await;
}

#[tokio::test]
async fn who_waits_is_told_at_once_that_an_export_is_cancelled_or_deleted() {
    let source = SlowSource::new();
    let (server, _) = busy(&source).await;
    let http = server.http();
    let wait = [("prefer", "wait=30")];
    for delete in [false, true] {
        let id = text(&http.submit(&export_of(&rows_of("plain"))).await["id"]);
        let path = format!("/v1/exports/{id}");
        let end = async {
            if delete {
                http.delete(&id).await.expect(204);
            } else {
                http.cancel(&id).await.export();
            }
        };
        let (held, ()) = tokio::join!(http.get_with(&path, &wait), end);
        if delete {
            held.problem(404, "export_not_found");
        } else {
            assert_eq!(held.export()["status"], "cancelled");
        }
    }
    // So is a request that makes an export, which it has nothing else to say of.
    let body = with(export_of(&rows_of("slow")), "format", json!("json"));
    let prefer = [("prefer", "respond-async, wait=30")];
    let cancel = async {
        let id = eventually("the export is there", async || {
            let list = http.get("/v1/exports?dataset=slow").await.expect(200);
            list.json()["data"][0]["id"].as_str().map(str::to_owned)
        });
        http.cancel(&id.await).await.export();
    };
    let (accepted, ()) = tokio::join!(http.post_with(EXPORT, &prefer, &body), cancel);
    assert_eq!(accepted.accepted()["status"], "cancelled");
}

#[tokio::test]
async fn what_is_no_export_can_neither_be_cancelled_nor_deleted_nor_followed() {
    let http = shared().http();
    for id in [
        "export_01930000000070008000000000000000",
        "nonsense",
        "%FF%FE",
    ] {
        http.knows_nothing_of(id).await;
    }
    let aliased = http.send("DELETE", "/api/v1/exports/nonsense", &[], "");
    aliased.await.problem(404, "export_not_found");
    let posted = http.send("POST", "/v1/exports/nonsense", &[], "");
    posted.await.problem(405, "method_not_allowed");
}
