//! What is refused, and how.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::harness::{Answer, EXPORT, QUERY, Service, range, request, small_export, small_query};
use crate::request::json_body::MAX_BODY_BYTES;

#[tokio::test]
async fn bodies_that_are_too_large() {
    let service = Service::start().await;
    let post = |length: Option<usize>, body: Body| {
        let mut request = Request::post(EXPORT).header(CONTENT_TYPE, "application/json");
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
        request.body(body).expect("a request")
    };
    let large = || vec![b' '; MAX_BODY_BYTES + 1];
    let chunks = futures::stream::iter(
        large()
            .chunks(1_000)
            .map(|chunk| Ok::<_, String>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    );
    for request in [
        post(Some(MAX_BODY_BYTES + 1), Body::from(large())),
        post(None, Body::from_stream(chunks)),
        post(Some(10), Body::from(large())),
    ] {
        assert_eq!(
            service.send(request).await.problem(),
            (413, "payload_too_large".to_owned())
        );
    }
    let mut fits = small_export().to_string().into_bytes();
    fits.resize(MAX_BODY_BYTES, b' ');
    let answer = service.send(post(None, Body::from(fits))).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_that_break_off_or_are_not_there() {
    let service = Service::start().await;
    let broken = Body::from_stream(futures::stream::iter([
        Ok(b"{".to_vec()),
        Err("gone".to_owned()),
    ]));
    let json = Request::post(EXPORT).header(CONTENT_TYPE, "application/json");
    for request in [json.body(broken), Request::post(EXPORT).body(Body::empty())] {
        let answer = service.send(request.expect("a request")).await;
        assert_eq!(answer.problem(), (400, "invalid_request".to_owned()));
    }
}

#[tokio::test]
async fn a_database_that_is_down() {
    let service = Service::start().await;
    service.break_source();
    for (path, body) in [(QUERY, small_query()), (EXPORT, small_export())] {
        let answer = service.post(path, &[], &body).await;
        assert_eq!(answer.problem(), (503, "database_unavailable".to_owned()));
        assert!(answer.header("retry-after").is_some());
    }
    let id = service.accept().await;
    service.break_ledger();
    for path in [
        "/v1/exports",
        &format!("/v1/exports/{id}"),
        &format!("/v1/exports/{id}/download"),
    ] {
        assert_eq!(
            service.get(path).await.problem(),
            (503, "database_unavailable".to_owned())
        );
    }
}

#[tokio::test]
async fn a_failure_of_ours_names_the_request_and_nothing_else() {
    let service = Service::start().await;
    let body =
        json!({ "query": { "dataset": "wrong", "time_range": range(), "dimensions": ["status"] } });
    let answer = service
        .post(EXPORT, &[("x-request-id", "abc-123")], &body)
        .await;
    assert_eq!(answer.problem(), (500, "internal".to_owned()));
    assert_eq!(answer.header("x-request-id"), Some("abc-123"));
    assert_eq!(answer.json()["request_id"], "abc-123");
    assert!(!answer.text().contains("no_such_function"));
}

#[tokio::test]
async fn what_is_not_ready_is_named() {
    let service = Service::start().await;
    let answer = service.get("/readyz").await;
    assert_eq!(
        answer.problem(),
        (503, "storage_unavailable".to_owned()),
        "there is no store"
    );
    assert_eq!(answer.json()["missing"], json!(["storage"]));
    let service = Service::start().await;
    service.break_source();
    let answer = service.get("/readyz").await;
    assert_eq!(answer.problem(), (503, "database_unavailable".to_owned()));
    assert_eq!(
        answer.json()["missing"],
        json!(["source default", "storage"])
    );
    assert_eq!(
        service.get("/livez").await.json(),
        json!({"status": "alive"})
    );
}

#[tokio::test]
async fn a_panic_is_a_failure_of_ours() {
    use tower::ServiceExt as _;

    use crate::middleware::gate::Gate;
    use crate::middleware::request_metrics::MeasuredOperations;

    let service = Service::start().await;
    let (_, document) = crate::router::router(service.state.clone()).expect("a document");
    let requests = service.state.metrics.requests.clone();
    let boom = || async { panic!("with a secret") as &'static str };
    let router = crate::router::with_middleware(
        axum::Router::new().route("/boom", axum::routing::get(boom)),
        Gate::open(),
        MeasuredOperations::new(requests, &document),
    );
    let response = router.oneshot(request(Method::GET, "/boom")).await;
    let answer = Answer::read(response.expect("infallible")).await;
    assert_eq!(answer.problem(), (500, "internal".to_owned()));
    assert_eq!(
        answer.json()["request_id"],
        *answer.header("x-request-id").expect("an id")
    );
    assert!(!answer.text().contains("secret"));
}
