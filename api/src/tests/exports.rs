//! Exports from their acceptance to the end of their file.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use waybill_ledger::SnapshotRecord;
use waybill_ledger::export::Progress;
use waybill_report::encode::Format;

use super::harness::{EXPORT, Service, small_export};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

#[tokio::test]
async fn every_member_is_there_from_the_beginning() {
    let service = Service::start().await;
    let id = service.accept().await;
    let answer = service.get(&format!("/v1/exports/{id}")).await;
    let mut export = answer.json();
    let created_at = export["created_at"].take();
    assert!(created_at.as_str().is_some_and(|at| at.ends_with('Z')));
    let hint = export["retry_after_seconds"].take();
    assert!(
        hint.as_u64()
            .is_some_and(|seconds| (1..=10).contains(&seconds))
    );
    assert_eq!(
        answer.header("retry-after"),
        Some(hint.to_string().as_str())
    );
    let self_url = format!("http://localhost/v1/exports/{id}");
    assert_eq!(
        export,
        json!({
            "id": id, "status": "queued", "dataset": "sessions", "format": "csv",
            "filename": "sessions-20260424-20260524.csv", "content_type": "text/csv",
            "query": {
                "dataset": "sessions",
                "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
                "dimensions": ["status"], "measures": ["session_count"], "filters": [],
                "order_by": [{"dimension": "status", "direction": "asc"}], "limit": 100,
            },
            "created_at": null, "started_at": null, "materialized_at": null, "as_of": null,
            "source_updated_at": null, "freshness_lag_ms": null, "completed_at": null, "expires_at": null,
            "attempt": 1, "max_attempts": 5,
            "progress": {"rows": 0, "bytes": 0, "estimated_rows": null, "percent": null},
            "row_count": null, "limit_reached": null, "size_bytes": null, "checksum": null,
            "download": null, "error": null, "retry_after_seconds": null, "self_url": self_url,
            "allowed_actions": [
                {"rel": "self", "href": self_url, "method": "GET", "operation_id": "get_export"},
                {"rel": "cancel", "href": format!("{self_url}/cancel"), "method": "POST", "operation_id": "cancel_export"},
                {"rel": "events", "href": format!("{self_url}/events"), "method": "GET", "operation_id": "stream_export_events"},
                {"rel": "delete", "href": self_url, "method": "DELETE", "operation_id": "delete_export"},
            ],
        })
    );
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
}

#[tokio::test]
async fn a_running_export_shows_how_far_it_is() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    let (at, updated) = ("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z");
    let instant = |text: &str| text.parse().expect("an instant");
    let snapshot = SnapshotRecord {
        materialized_at: instant(at),
        source_updated_at: Some(instant(updated)),
        estimated_rows: None,
        object_key: lease.object_key(Format::Csv),
    };
    let recorded = service.ledger().record_snapshot(&lease, &snapshot);
    recorded.await.expect("the lease is good");
    let progress = Progress {
        rows: 120_000,
        bytes: 9_437_184,
        estimated_rows: Some(2_000_000),
    };
    let renewed = service.ledger().renew(&lease, WEEK, progress).await;
    renewed.expect("the lease is good");

    let export = service.get(&format!("/v1/exports/{id}")).await.json();
    assert_eq!(export["status"], "running");
    assert_eq!(
        export["progress"],
        json!({"rows": 120_000, "bytes": 9_437_184, "estimated_rows": 2_000_000, "percent": 6.0})
    );
    assert_eq!(
        (&export["as_of"], &export["materialized_at"]),
        (&json!(at), &json!(at))
    );
    assert_eq!(export["source_updated_at"], updated);
    assert!(
        export["freshness_lag_ms"]
            .as_i64()
            .is_some_and(|lag| lag > 0)
    );
    assert!(
        export["retry_after_seconds"]
            .as_u64()
            .is_some_and(|hint| (1..=10).contains(&hint))
    );
}

#[tokio::test]
async fn a_request_without_a_place_is_answered_at_once() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}");
    let _places = service.places();
    let both = async {
        let body = small_export();
        let posted = service.post(EXPORT, &[("prefer", "respond-async, wait=30")], &body);
        (
            service.get_with(&path, &[("prefer", "wait=30")]).await,
            posted.await,
        )
    };
    let both = tokio::time::timeout(Duration::from_secs(10), both).await;
    let (read, posted) = both.expect("no wait");
    assert_eq!(read.json()["status"], "queued");
    assert_eq!(read.header("preference-applied"), None);
    assert_eq!(posted.status, StatusCode::ACCEPTED);
    assert_eq!(posted.header("preference-applied"), Some("respond-async"));
}

#[tokio::test]
async fn an_ended_export_is_not_waited_for() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    service.complete(&lease, WEEK).await;
    let path = format!("/v1/exports/{id}");
    let answer = service.get_with(&path, &[("prefer", "wait=30")]);
    let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
    assert_eq!(answer.expect("no wait").json()["status"], "completed");
}

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
