//! Exports that their clients cancel or delete, in every state that an export can have.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use waybill_ledger::{Lanes, LedgerError};

use super::harness::Service;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// It bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(20);

impl Service {
    /// An export of each status, as it is shown.
    async fn of_each_status(&self) -> Vec<(&'static str, String)> {
        let mut exports = Vec::new();
        for status in ["completed", "expired", "failed", "running", "cancelled"] {
            let id = self.accept().await;
            let lease = self.claim().await;
            match status {
                "completed" => self.complete(&lease, WEEK).await,
                "expired" => self.complete(&lease, Duration::ZERO).await,
                "failed" => self.fail(&lease).await,
                "cancelled" => {
                    self.cancel(&id).await;
                }
                _ => {}
            }
            exports.push((status, id));
        }
        exports.push(("queued", self.accept().await));
        for (status, id) in &exports {
            let export = self.get(&format!("/v1/exports/{id}")).await.json();
            assert_eq!(export["status"], *status);
        }
        exports
    }
}

/// What can be done next.
fn rels(of: &Value) -> Vec<&str> {
    let actions = of["allowed_actions"].as_array().expect("actions").iter();
    actions
        .map(|action| action["rel"].as_str().expect("a rel"))
        .collect()
}

#[tokio::test]
async fn a_queued_export_is_cancelled_and_never_runs() {
    let service = Service::start().await;
    let id = service.accept().await;
    let answer = service.cancel(&id).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let export = answer.json();
    assert_eq!(export["status"], "cancelled");
    assert!(
        export["completed_at"].as_str() >= export["created_at"].as_str(),
        "{export:#}"
    );
    for unknown in ["started_at", "download", "error", "retry_after_seconds"] {
        assert_eq!(export[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(rels(&export), ["self", "delete"]);
    let claim = service.ledger().claim_next(WEEK, Lanes::Any).await;
    assert!(claim.expect("the ledger").is_none());
}

#[tokio::test]
async fn a_running_export_is_cancelled_and_its_worker_publishes_nothing() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    let export = service.cancel(&id).await.json();
    assert_eq!(export["status"], "cancelled");
    let failed = service.ledger().renew(&lease, WEEK, Default::default());
    assert!(matches!(failed.await, Err(LedgerError::LeaseLost(_))));
    let download = service.get(&format!("/v1/exports/{id}/download")).await;
    assert_eq!(download.problem(), (409, "export_failed".to_owned()));
}

#[tokio::test]
async fn cancelling_again_changes_nothing() {
    let service = Service::start().await;
    let id = service.accept().await;
    let first = service.cancel(&id).await.json();
    let again = service.cancel(&id).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json(), first);
    let read = service.get(&format!("/v1/exports/{id}")).await.json();
    assert_eq!(read, first);
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled() {
    let service = Service::start().await;
    for (status, id) in service.of_each_status().await {
        let expected: &[&str] = match status {
            "completed" => &["self", "download", "delete"],
            "failed" | "expired" => &["self", "delete", "retry"],
            _ => continue,
        };
        let answer = service.cancel(&id).await;
        assert_eq!(
            answer.problem(),
            (409, "export_already_finished".to_owned()),
            "{status}"
        );
        let problem = answer.json();
        assert_eq!(problem["detail"], format!("The export is {status}."));
        assert_eq!(rels(&problem), expected);
        let export = service.get(&format!("/v1/exports/{id}")).await.json();
        assert_eq!(export["status"], status, "nothing changed");
    }
}

#[tokio::test]
async fn every_action_of_an_export_leads_to_its_operation() {
    let service = Service::start().await;
    for (status, id) in service.of_each_status().await {
        let export = service.get(&format!("/v1/exports/{id}")).await.json();
        let expected: &[&str] = match status {
            "queued" | "running" => &["self", "cancel", "events", "delete"],
            "completed" => &["self", "download", "delete"],
            _ => &["self", "delete"],
        };
        assert_eq!(rels(&export), expected, "{status}");
        for action in export["allowed_actions"].as_array().expect("actions") {
            let href = action["href"].as_str().expect("a link");
            let path = href.strip_prefix("http://localhost").expect("a path");
            let template = path.replace(&id, "{id}");
            let method = action["method"].as_str().expect("a method").to_lowercase();
            let operation = &service.document()["paths"][template.as_str()][method.as_str()];
            assert_eq!(operation["operationId"], action["operation_id"], "{action}");
        }
    }
}

#[tokio::test]
async fn a_deleted_export_does_not_exist_whatever_its_state_was() {
    let service = Service::start().await;
    let exports = service.of_each_status().await;
    for (status, id) in &exports {
        let answer = service.delete(id).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{status}");
        assert!(answer.body.is_empty());
        let mut answers = vec![service.cancel(id).await, service.delete(id).await];
        for path in ["", "/download", "/events"] {
            answers.push(service.get(&format!("/v1/exports/{id}{path}")).await);
        }
        for answer in answers {
            assert_eq!(
                answer.problem(),
                (404, "export_not_found".to_owned()),
                "{status}: {answer:?}"
            );
        }
    }
    let list = service.get("/v1/exports").await.json();
    assert_eq!(list, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn who_waits_for_an_export_is_told_of_its_deletion() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}");
    let held = service.get_with(&path, &[("prefer", "wait=30")]);
    let both = async { tokio::join!(held, service.delete(&id)) };
    let both = tokio::time::timeout(DEADLINE, both).await;
    let (held, deleted) = both.expect("well before the wait ends");
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    // One that was read before the deletion is read again after it.
    assert_eq!(held.problem(), (404, "export_not_found".to_owned()));
}

#[tokio::test]
async fn who_waits_for_an_export_is_told_of_its_cancellation() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}");
    let held = service.get_with(&path, &[("prefer", "wait=30")]);
    let both = async { tokio::join!(held, service.cancel(&id)) };
    let both = tokio::time::timeout(DEADLINE, both).await;
    let (held, _) = both.expect("well before the wait ends");
    assert_eq!(held.json()["status"], "cancelled");
}
