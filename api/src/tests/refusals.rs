//! What is refused, and how.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::harness::{Answer, EXPORT, QUERY, Service, range, request, small_export, small_query};
use crate::request::json_body::MAX_BODY_BYTES;

fn code(answer: &Answer) -> String {
    answer.problem().1
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let service = Service::start().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/exports/",
        "/v2/exports",
        "/api/livez",
        "/problems/nothing",
        "/%FF",
    ] {
        assert_eq!(
            service.get(path).await.problem(),
            (404, "route_not_found".to_owned()),
            "{path}"
        );
    }
    for (method, path, allowed) in [
        (Method::GET, QUERY, "POST"),
        (Method::DELETE, "/v1/exports", "GET,HEAD"),
        (Method::OPTIONS, "/livez", "GET,HEAD"),
        (Method::PUT, "/api/v1/reports/query/export", "POST"),
    ] {
        let answer = service.send(request(method, path)).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
        assert_eq!(answer.header("allow"), Some(allowed));
    }
}

#[tokio::test]
async fn ids_that_are_none() {
    let service = Service::start().await;
    for id in [
        "export_",
        "nothing",
        "export_0196f0a2b8f97c3e9d51c2a4e6f80b13",
        "%20",
        "%FF",
    ] {
        for path in [
            format!("/v1/exports/{id}"),
            format!("/v1/exports/{id}/download"),
        ] {
            assert_eq!(
                service.get(&path).await.problem(),
                (404, "export_not_found".to_owned()),
                "{id}"
            );
        }
    }
}

#[tokio::test]
async fn bodies_that_are_not_declared_to_be_json() {
    let service = Service::start().await;
    let post = |content_type: Option<&str>| {
        let mut request = Request::post(EXPORT);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request
            .body(Body::from(small_export().to_string()))
            .expect("a request")
    };
    for wrong in [
        None,
        Some("text/plain"),
        Some("nonsense"),
        Some("application/x-www-form-urlencoded"),
    ] {
        assert_eq!(
            code(&service.send(post(wrong)).await),
            "unsupported_media_type",
            "{wrong:?}"
        );
    }
    for right in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.waybill+json",
    ] {
        assert_eq!(
            service.send(post(Some(right))).await.status,
            StatusCode::OK,
            "{right}"
        );
    }
    let mut compressed = post(Some("application/json"));
    compressed
        .headers_mut()
        .insert("content-encoding", "gzip".parse().expect("a value"));
    assert_eq!(
        code(&service.send(compressed).await),
        "unsupported_media_type"
    );
}

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
async fn bodies_that_cannot_be_read() {
    let service = Service::start().await;
    for body in ["", "{", "[]", "{} {}", "\"\u{0}\"", "{\"query\": 1}"] {
        for path in [EXPORT, QUERY] {
            let request = Request::post(path).header(CONTENT_TYPE, "application/json");
            let answer = service
                .send(request.body(Body::from(body)).expect("a request"))
                .await;
            assert_eq!(
                answer.problem(),
                (400, "invalid_request".to_owned()),
                "{body:?}"
            );
            assert!(!answer.faults().is_empty());
        }
    }
    let request = Request::post(EXPORT).header(CONTENT_TYPE, "application/json");
    let request = request
        .body(Body::from(&b"{\"query\":\"\xff\"}"[..]))
        .expect("a request");
    assert_eq!(code(&service.send(request).await), "invalid_request");
    let empty = request_without_anything();
    assert_eq!(code(&service.send(empty).await), "invalid_request");
    let broken = Body::from_stream(futures::stream::iter([
        Ok(b"{".to_vec()),
        Err("gone".to_owned()),
    ]));
    let request = Request::post(EXPORT).header(CONTENT_TYPE, "application/json");
    assert_eq!(
        code(&service.send(request.body(broken).expect("a request")).await),
        "invalid_request"
    );
}

fn request_without_anything() -> Request<Body> {
    Request::post(EXPORT)
        .body(Body::empty())
        .expect("a request")
}

#[tokio::test]
async fn every_fault_of_a_query_at_once() {
    let service = Service::start().await;
    let body = json!({
        "format": "xlsx",
        "query": {
            "dataset": "sessions", "time_range": range(), "dimensions": ["nothing"],
            "filters": [{"field": "duration_ms", "op": "like", "value": 1}], "limit": -1, "more": 1,
        },
    });
    let answer = service.post(EXPORT, &[], &body).await;
    assert_eq!(answer.problem(), (400, "invalid_query".to_owned()));
    let mut faults = answer.faults();
    faults.sort();
    let expected = [
        ("/format", "unsupported_format"),
        ("/query/dimensions/0", "unknown_dimension"),
        ("/query/filters/0/op", "invalid_filter_op"),
        ("/query/limit", "invalid_limit"),
        ("/query/more", "invalid_request"),
    ];
    assert_eq!(
        faults,
        expected.map(|(at, code)| (at.to_owned(), code.to_owned()))
    );
    let action = &answer.json()["allowed_actions"][0];
    assert_eq!(
        (&action["rel"], &action["operation_id"]),
        (&json!("retry"), &json!("export_report_query"))
    );
}

#[tokio::test]
async fn datasets_that_are_for_others() {
    let service = Service::start().await;
    let query = json!({ "dataset": "secret", "time_range": range(), "dimensions": ["status"] });
    assert_eq!(
        service.post(QUERY, &[], &query).await.problem(),
        (403, "forbidden".to_owned())
    );
    let answer = service.post(EXPORT, &[], &json!({ "query": query })).await;
    assert_eq!(answer.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn media_types_that_we_have_not() {
    let service = Service::start().await;
    let png = [("accept", "image/png")];
    assert_eq!(
        service.post(EXPORT, &png, &small_export()).await.problem(),
        (406, "not_acceptable".to_owned())
    );
    let csv = [("accept", "text/csv")];
    assert_eq!(
        service.post(QUERY, &csv, &small_query()).await.problem(),
        (406, "not_acceptable".to_owned())
    );
    let json = json!({ "query": small_query(), "format": "json" });
    assert_eq!(
        service.post(EXPORT, &csv, &json).await.problem(),
        (406, "not_acceptable".to_owned())
    );
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
async fn request_ids_are_taken_over_when_they_are_sane() {
    let service = Service::start().await;
    let with_id = |id: &str| {
        let mut request = request(Method::GET, "/livez");
        request
            .headers_mut()
            .insert("x-request-id", id.parse().expect("a value"));
        request
    };
    let longest = "x".repeat(128);
    let answer = service.send(with_id(&longest)).await;
    assert_eq!(answer.header("x-request-id"), Some(longest.as_str()));
    for odd in ["", "a b", &"x".repeat(129)] {
        let answer = service.send(with_id(odd)).await;
        let id = answer.header("x-request-id").expect("an id");
        assert!(id != odd && id.len() == 36, "{id}");
    }
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
    use tower_http::catch_panic::CatchPanicLayer;

    use crate::middleware::panics::PanicProblem;

    let router: axum::Router = axum::Router::new()
        .route(
            "/boom",
            axum::routing::get(|| async { panic!("with a secret") as &'static str }),
        )
        .layer(CatchPanicLayer::custom(PanicProblem))
        .layer(axum::middleware::from_fn(
            crate::middleware::boundary::boundary,
        ));
    let response = router.oneshot(request(Method::GET, "/boom")).await;
    let answer = Answer::read(response.expect("infallible")).await;
    assert_eq!(answer.problem(), (500, "internal".to_owned()));
    assert_eq!(
        answer.json()["request_id"],
        *answer.header("x-request-id").expect("an id")
    );
    assert!(!answer.text().contains("secret"));
}
