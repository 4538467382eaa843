//! The document says what the service does: every route, every status, and no more.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use futures::stream;
use http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;
use waybill_report::caller::OrgId;

use super::harness::{
    EXPORT, QUERY, Service, endless_query, range, request, small_export, small_query,
};
use super::keys::{Holder, admin_key, viewer_key};
use crate::problem::ProblemCode;
use crate::request::json_body::MAX_BODY_BYTES;

pub(super) fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations: Vec<(&str, &str, &Value)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("a path item");
            item.iter()
                .filter(|(_, value)| value.get("responses").is_some())
                .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
        .collect();
    operations.sort_by_key(|(method, path, _)| (*path, *method));
    operations
}

/// Drives every operation into every status, and holds what was seen against what is documented.
#[tokio::test]
async fn every_documented_status_occurs_and_no_other() {
    let mut seen = BTreeSet::new();
    let service = Service::with(|inline, exports| {
        inline.slots = 1;
        exports.max_queued = 2;
    })
    .await;
    for path in [
        "/docs",
        "/livez",
        "/metrics",
        "/openapi.json",
        "/v1/operations/status",
        "/v1/reports/catalog",
        "/problems/internal",
        "/problems",
        "/",
    ] {
        assert_eq!(service.get(path).await.status, StatusCode::OK, "{path}");
    }
    service.get("/problems/nothing").await;
    service.get("/readyz").await;
    let image = [("accept", "image/png")];
    service.get_with("/v1/operations/status", &image).await;

    for (path, small, wrap) in [
        (QUERY, small_query(), false),
        (EXPORT, small_export(), true),
    ] {
        let wrapped = |query: Value| {
            if wrap {
                json!({ "query": query })
            } else {
                query
            }
        };
        let dataset = |name: &str| {
            wrapped(json!({ "dataset": name, "time_range": range(), "dimensions": ["status"] }))
        };
        let raw = |content_type: &str, body: Vec<u8>| {
            let request = Request::post(path).header(CONTENT_TYPE, content_type);
            request.body(Body::from(body)).expect("a request")
        };
        service.post(path, &[], &small).await;
        service.post(path, &[], &dataset("nothing")).await;
        service.post(path, &[], &dataset("secret")).await;
        service.post(path, &[], &dataset("wrong")).await;
        service.post(path, &[("accept", "image/png")], &small).await;
        service
            .send(raw("application/json", vec![b' '; MAX_BODY_BYTES + 1]))
            .await;
        service.send(raw("text/plain", b"{}".to_vec())).await;
        let slot = service
            .state
            .inline
            .admission
            .slot(&OrgId::new("org_demo"))
            .await
            .expect("a slot");
        service.post(path, &[], &small).await;
        drop(slot);
    }
    let slow = Service::with(|inline, _| inline.timeout_seconds = 1).await;
    slow.post(QUERY, &[], &endless_query()).await;
    seen.extend(slow.seen());

    let locked = Service::asking_for_keys().await;
    for (method, path, _) in operations(locked.document()) {
        locked.without_key(method, path).await;
    }
    let key = Holder::of(&locked, admin_key()).await;
    let viewer = Holder::of(&locked, viewer_key()).await;
    viewer.get(&locked, "/v1/operations/status").await;
    locked.break_keys();
    for path in ["/v1/reports/catalog", "/v1/operations/status"] {
        key.get(&locked, path).await;
    }
    seen.extend(locked.seen());

    let limited = Service::asking_for_keys_with(|limits| {
        limits.requests_per_second = NonZeroU32::MIN;
        limits.burst = NonZeroU32::MIN;
    })
    .await;
    let key = Holder::of(&limited, admin_key()).await;
    for (method, path, _) in operations(limited.document()) {
        if path.starts_with("/v1/") {
            key.too_often(&limited, method, path).await;
        }
    }
    seen.extend(limited.seen());

    let impatient = Service::limited(|limits| limits.read_timeout_seconds = 1).await;
    for path in [QUERY, EXPORT] {
        let endless = Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        impatient
            .send(request.body(endless).expect("a request"))
            .await;
    }
    seen.extend(impatient.seen());

    service.get("/v1/exports").await;
    service.get("/v1/exports?nothing").await;
    for path in ["", "/download", "/events"] {
        service.get(&format!("/v1/exports/x{path}")).await;
    }
    service.cancel("x").await;
    service.delete("x").await;
    let id = service.accept().await;
    let mut known = request(Method::GET, &format!("/v1/exports/{id}"));
    known
        .headers_mut()
        .insert(IF_NONE_MATCH, "*".parse().expect("a value"));
    service.send(known).await;
    service.get(&format!("/v1/exports/{id}")).await;
    let download = format!("/v1/exports/{id}/download");
    service.get(&download).await;
    let lease = service.claim().await;
    service.complete(&lease, Duration::from_secs(60)).await;
    service.get(&download).await;
    service.cancel(&id).await;
    let events = format!("/v1/exports/{id}/events");
    service.get(&events).await;
    let places = service.places();
    service.get(&events).await;
    drop(places);
    let end = service.follow(&events, None).await.next().await;
    let known = end.expect("the end").id;
    service
        .get_with(&events, &[("last-event-id", &known)])
        .await;
    let unwanted = service.accept().await;
    service.cancel(&unwanted).await;
    service.delete(&unwanted).await;
    let expired = service.accept().await;
    let lease = service.claim().await;
    service.complete(&lease, Duration::ZERO).await;
    service
        .get(&format!("/v1/exports/{expired}/download"))
        .await;
    let keyed = [("prefer", "respond-async"), ("idempotency-key", "k")];
    service.post(EXPORT, &keyed, &small_export()).await;
    let mut other = small_export();
    other["query"]["limit"] = json!(1);
    service.post(EXPORT, &keyed, &other).await;

    service.break_ledger();
    service
        .post(EXPORT, &[("prefer", "respond-async")], &small_export())
        .await;
    for path in [
        "/v1/exports",
        &format!("/v1/exports/{id}"),
        &download,
        &events,
    ] {
        service.get(path).await;
    }
    service.cancel(&id).await;
    service.delete(&id).await;
    seen.extend(service.seen());

    let documented: BTreeSet<(String, String, u16)> = operations(service.document())
        .into_iter()
        .flat_map(|(method, path, operation)| {
            let responses = operation["responses"].as_object().expect("responses");
            responses.keys().map(move |status| {
                (
                    path.to_owned(),
                    method.to_owned(),
                    status.parse().expect("a status"),
                )
            })
        })
        .collect();
    // A 500 needs a fault of ours, which only a wrong catalog makes from outside; /readyz needs a store.
    let unseen: Vec<_> = documented
        .difference(&seen)
        .filter(|(path, _, status)| *status != 500 && (path.as_str(), *status) != ("/readyz", 200))
        .collect();
    assert!(unseen.is_empty(), "documented, but never seen: {unseen:?}");
    assert!(seen.is_subset(&documented));
}

#[tokio::test]
async fn it_is_served_and_rendered() {
    let service = Service::start().await;
    let served = service.get("/openapi.json").await;
    assert_eq!(served.json(), *service.document());
    let page = service.get("/docs").await;
    assert_page(&page);
    for (_, path, operation) in operations(service.document()) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(page.text().contains(&format!("id=\"{id}\"")), "{id}");
        assert!(page.text().contains(path), "{path}");
    }
    for schema in service.document()["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .keys()
    {
        assert!(
            page.text().contains(&format!("id=\"schema-{schema}\"")),
            "{schema}"
        );
    }
    assert!(
        page.text()
            .contains("curl http://localhost/v1/reports/query/export")
    );
    assert!(!page.text().contains("{{"), "a placeholder is left");
}

#[tokio::test]
async fn every_code_has_a_page() {
    let service = Service::start().await;
    let list = service.get("/problems").await;
    assert_page(&list);
    for code in ProblemCode::iter() {
        let link = format!("href=\"problems/{}\"", code.name());
        assert!(list.text().contains(&link), "{link}");
        let page = service.get(&format!("/problems/{}", code.name())).await;
        assert_page(&page);
        assert!(page.text().contains(code.explanation().title));
    }
}

#[tokio::test]
async fn a_visitor_finds_the_documentation() {
    let service = Service::start().await;
    let page = service.get("/").await;
    assert_page(&page);
    for link in ["docs", "openapi.json", "problems", "readyz"] {
        assert!(page.text().contains(&format!("href=\"{link}\"")), "{link}");
        let followed = service.get(&format!("/{link}")).await;
        assert!(followed.status != StatusCode::NOT_FOUND, "{link}");
    }
}

fn assert_page(page: &super::harness::Answer) {
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").expect("a policy");
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("a nonce");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    for (header, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(header), Some(value));
    }
    assert!(page.text().contains(&format!("<style nonce=\"{nonce}\">")));
    for foreign in ["<script", "src=", " style=", "https://"] {
        assert!(!page.text().contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn where_no_keys_are_asked_for_none_is_described() {
    let service = Service::start().await;
    let document = service.document();
    assert!(document["components"].get("securitySchemes").is_none());
    for (method, path, operation) in operations(document) {
        assert!(operation.get("security").is_none(), "{method} {path}");
    }
}
