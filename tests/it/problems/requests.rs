//! Requests that ask for nothing that there is, and the page that explains each refusal.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::http::{EXPORT, JSON, QUERY};
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::shared;

#[tokio::test]
async fn weird_requests_are_never_the_servers_fault() {
    let server = shared();
    let http = server.http();
    let long = "x".repeat(20_000);
    for target in [
        "/v1/exports?limit=5&limit=6",
        "/v1/exports?limit",
        "/v1/exports?=",
        "/v1/exports?&&&",
        "/v1/exports?cursor=%FF%FE",
        "/v1/exports?cursor=%00",
        "/v1/exports?dataset=%F0%9F%92%A9",
        "/v1/exports?dataset=%27%20OR%201%3D1%20--",
        "/v1/exports?status=queued,completed",
        "/v1//exports",
        "/v1/exports/",
        "//",
        "/%",
        "/%zz",
        "/v1/reports/catalog/",
        "/v1/reports/catalog?unknown=1",
        &format!("/{long}"),
        &format!("/v1/exports?cursor={long}"),
    ] {
        let answer = http.get(target).await;
        assert!(answer.status < 500, "{answer:?}");
        if answer.status >= 400 {
            answer.any_problem();
        }
    }
    for headers in [
        [("x-request-id", long.as_str())],
        [("x-request-id", "a\tb")],
        [("accept", long.as_str())],
        [("accept", ";;;,,,")],
        [("accept", "text/csv;q=abc")],
        [("prefer", long.as_str())],
        [("authorization", "Bearer nonsense")],
        [("if-none-match", long.as_str())],
        [("expect", "the-unexpected")],
    ] {
        let answer = http
            .post_with(EXPORT, &headers, &export_of(&by_status()))
            .await;
        assert!(answer.status < 500, "{headers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let server = shared();
    let http = server.http();
    for path in [
        "/nope",
        "/v1",
        "/v1/",
        "/v1/nope",
        "/v2/exports",
        "/api/v1/nope",
        "/v1/reports",
        "/v1/exports/",
        "/api",
        "/api/livez",
        "/%FF",
    ] {
        http.get(path).await.problem(404, "route_not_found");
        http.post(path, &json!({}))
            .await
            .problem(404, "route_not_found");
    }
    let page = http.get("/problems/nothing").await;
    page.problem(404, "route_not_found");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = shared();
    let http = server.http();
    for (method, path, allowed) in [
        ("GET", QUERY, "POST"),
        ("PUT", QUERY, "POST"),
        ("DELETE", EXPORT, "POST"),
        ("PATCH", EXPORT, "POST"),
        ("POST", "/v1/reports/catalog", "GET"),
        ("POST", "/v1/exports", "GET"),
        (
            "PUT",
            "/v1/exports/export_01930000000070008000000000000000",
            "GET",
        ),
        (
            "POST",
            "/v1/exports/export_01930000000070008000000000000000/download",
            "GET",
        ),
        ("POST", "/livez", "GET"),
        ("OPTIONS", "/livez", "HEAD"),
        ("DELETE", "/v1/exports", "HEAD"),
        ("BREW", "/api/v1/reports/catalog", "GET"),
    ] {
        let answer = http.send(method, path, &[], "").await.expect(405);
        let allow = answer.has_header("allow").to_owned();
        let mut methods = allow.split(',').map(str::trim);
        assert!(
            methods.any(|method| method == allowed),
            "{method} {path}: Allow: {allow}"
        );
        answer.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn every_code_that_was_met_has_a_page() {
    let server = shared();
    let http = server.http();
    let mut types = BTreeSet::new();
    for answer in [
        http.get("/nope").await,
        http.get("/v1/exports/nope").await,
        http.send("PUT", QUERY, &[], "").await,
        http.send("POST", QUERY, &[JSON], "{").await,
        http.post(QUERY, &json!({})).await,
        http.send("POST", QUERY, &[("content-type", "text/plain")], "x")
            .await,
        http.post_with(EXPORT, &[("accept", "image/png")], &export_of(&by_status()))
            .await,
        http.get("/v1/exports?limit=0").await,
    ] {
        let problem = answer.any_problem();
        let page = problem["type"].as_str().expect("a type").to_owned();
        types.insert((page, problem["code"].as_str().expect("a code").to_owned()));
    }
    assert!(types.len() >= 6, "{types:?}");
    for (page, code) in types {
        let answer = http.get(&page).await.expect(200);
        assert!(answer.media_type().starts_with("text/"), "{answer:?}");
        assert!(answer.text().contains(&code), "{page} explains {code}");
    }
}
