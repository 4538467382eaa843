//! Exports from their acceptance to the end of their file.

use std::time::Duration;

use http::StatusCode;
use http::header::{ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};
use waybill_ledger::export::Progress;
use waybill_ledger::{Lanes, SnapshotRecord};
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
async fn a_completed_export_can_be_downloaded() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    service.complete(&lease, WEEK).await;

    let answer = service.get(&format!("/v1/exports/{id}")).await;
    assert_eq!(answer.header("retry-after"), None);
    let export = answer.json();
    assert_eq!(export["status"], "completed");
    assert_eq!(
        (&export["row_count"], &export["size_bytes"]),
        (&json!(3), &json!(42))
    );
    assert_eq!(export["limit_reached"], false);
    assert_eq!(
        export["checksum"],
        json!({"algorithm": "sha256", "value": "ab".repeat(32)})
    );
    assert_eq!(export["retry_after_seconds"], Value::Null);
    let url = export["download"]["url"].as_str().expect("a link");
    assert!(
        url.starts_with(&format!("http://store.invalid/waybill/exports/{id}/1/csv?")),
        "{url}"
    );
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    assert!(url.contains("response-content-disposition"), "{url}");
    assert!(export["download"]["expires_at"].as_str() < export["expires_at"].as_str());

    let answer = service.get(&format!("/v1/exports/{id}/download")).await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(
        answer
            .header("location")
            .is_some_and(|to| to.starts_with("http://store.invalid/"))
    );
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|value| value.contains("no-store"))
    );
}

#[tokio::test]
async fn a_link_never_outlives_the_file() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    service.complete(&lease, Duration::from_secs(60)).await;
    let export = service.get(&format!("/v1/exports/{id}")).await.json();
    assert!(
        export["download"]["expires_at"].as_str() <= export["expires_at"].as_str(),
        "{export}"
    );
}

#[tokio::test]
async fn a_file_whose_time_is_over_is_gone() {
    let service = Service::start().await;
    let id = service.accept().await;
    let lease = service.claim().await;
    service.complete(&lease, Duration::ZERO).await;
    let export = service.get(&format!("/v1/exports/{id}")).await.json();
    assert_eq!(
        (&export["status"], &export["download"]),
        (&json!("expired"), &Value::Null)
    );
    let answer = service.get(&format!("/v1/exports/{id}/download")).await;
    assert_eq!(answer.problem(), (410, "export_expired".to_owned()));
    assert_eq!(answer.json()["allowed_actions"][1]["rel"], "retry");
}

#[tokio::test]
async fn a_failed_export_says_why() {
    let service = Service::start().await;
    let id = service.accept().await;
    let not_yet = service.get(&format!("/v1/exports/{id}/download")).await;
    assert_eq!(not_yet.problem(), (409, "export_not_ready".to_owned()));
    assert!(not_yet.header("retry-after").is_some());
    let lease = service.claim().await;
    service.fail(&lease).await;

    let export = service.get(&format!("/v1/exports/{id}")).await.json();
    assert_eq!(export["status"], "failed");
    let error = &export["error"];
    assert_eq!(error["code"], "too_many_rows");
    assert_eq!(error["status"], 400);
    assert_eq!(error["type"], "/problems/too_many_rows");
    assert_eq!(error["instance"], format!("/v1/exports/{id}"));
    assert_eq!(error["detail"], "More than 1000 rows.");
    let answer = service.get(&format!("/v1/exports/{id}/download")).await;
    assert_eq!(answer.problem(), (409, "export_failed".to_owned()));
    assert!(
        answer.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("1000 rows"))
    );
}

#[tokio::test]
async fn an_unchanged_export_is_not_sent_again() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}");
    let first = service.get(&path).await;
    let tag = first.header(ETAG.as_str()).expect("a tag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    for known in [tag.as_str(), "*", &format!("\"x\", {tag}")] {
        let again = service
            .get_with(&path, &[(IF_NONE_MATCH.as_str(), known)])
            .await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(again.header(ETAG.as_str()), Some(tag.as_str()));
        assert!(again.body.is_empty());
    }
    service.claim().await;
    let changed = service
        .get_with(&path, &[(IF_NONE_MATCH.as_str(), &tag)])
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.header(ETAG.as_str()), Some(tag.as_str()));
}

#[tokio::test]
async fn a_request_is_held_until_the_export_has_ended() {
    let service = Service::start().await;
    let id = service.accept().await;
    let path = format!("/v1/exports/{id}");
    let wait = [("prefer", "wait=30")];
    let download = format!("{path}/download");
    let work = async {
        let mut events = service.follow(&format!("{path}/events"), None).await;
        let lease = service.claim().await;
        // Whoever waits has heard of this as well.
        while events.next().await.expect("a change").data["status"] != "running" {}
        service.complete(&lease, WEEK).await;
    };
    let (held, link, ()) = tokio::join!(
        service.get_with(&path, &wait),
        service.get_with(&download, &wait),
        work
    );
    assert_eq!(held.json()["status"], "completed");
    assert_eq!(link.status, StatusCode::TEMPORARY_REDIRECT);
    for answer in [held, link] {
        assert_eq!(answer.header("preference-applied"), Some("wait=30"));
    }
}

#[tokio::test]
async fn a_wait_ends_with_its_seconds() {
    let service = Service::start().await;
    let id = service.accept().await;
    let wait = [("prefer", "wait=1")];
    let path = format!("/v1/exports/{id}");
    let held = service.get_with(&path, &wait).await;
    assert_eq!(held.json()["status"], "queued");
    let early = service.get_with(&format!("{path}/download"), &wait).await;
    assert_eq!(early.problem(), (409, "export_not_ready".to_owned()));
    assert_eq!(early.header("preference-applied"), Some("wait=1"));
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

#[tokio::test]
async fn a_waiting_post_answers_with_the_ended_job() {
    let service = Service::start().await;
    let prefer = [("prefer", "respond-async, wait=30")];
    let body = small_export();
    let post = service.post(EXPORT, &prefer, &body);
    let work = async {
        loop {
            let claim = service
                .ledger()
                .claim_next(WEEK, Lanes::Any)
                .await
                .expect("the ledger");
            if let Some(claim) = claim {
                service.complete(&claim.lease, WEEK).await;
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(post, work);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(
        answer.header("preference-applied"),
        Some("respond-async, wait=30")
    );
    assert_eq!(answer.header("retry-after"), Some("0"));
    let export = answer.json();
    assert_eq!(export["status"], "completed");
    assert!(
        export["download"]["url"]
            .as_str()
            .is_some_and(|url| url.contains("X-Amz-"))
    );
}

#[tokio::test]
async fn exports_are_listed_newest_first_page_by_page() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(service.accept().await);
    }
    ids.reverse();
    let lease = service.claim().await;
    service.complete(&lease, WEEK).await;

    let (mut listed, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = service
            .get(&format!("/v1/exports?limit=2{cursor}"))
            .await
            .json();
        let data = page["data"].as_array().expect("data").clone();
        listed.extend(
            data.iter()
                .filter_map(|one| one["id"].as_str().map(str::to_owned)),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => assert_eq!(page["next_cursor"], Value::Null),
        }
    }
    assert_eq!(listed, ids);

    let done = service
        .get("/v1/exports?status=completed&dataset=sessions")
        .await
        .json();
    assert_eq!(done["data"].as_array().map(Vec::len), Some(1));
    let export = &done["data"][0];
    let id = export["id"].as_str().expect("an id");
    assert_eq!(
        export["download"]["url"],
        format!("http://localhost/v1/exports/{id}/download")
    );
    assert_eq!(export["download"]["expires_at"], export["expires_at"]);
    let none = service.get("/v1/exports?dataset=other").await.json();
    assert_eq!(none, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn wrong_parameters_are_all_reported() {
    let service = Service::start().await;
    let path = "/v1/exports?status=done&limit=0&cursor=x&order=asc&dataset=a&dataset=b&q=%FF";
    let answer = service.get(path).await;
    assert_eq!(answer.problem(), (400, "invalid_request".to_owned()));
    let pointers: Vec<String> = answer
        .faults()
        .into_iter()
        .map(|(pointer, _)| pointer)
        .collect();
    let expected = ["order", "dataset", "q", "status", "limit", "cursor"];
    assert_eq!(
        pointers,
        expected.map(|name| format!("/query-parameters/{name}"))
    );
}
