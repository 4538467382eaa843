//! Clients that send slowly, read slowly or send too much: each costs a connection for a while, and
//! nobody else anything.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::harness::connection::{begun, rest_of};
use crate::harness::eventually;
use crate::harness::http::EXPORT;
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;

/// Status, headers and problem of a raw answer.
fn problem(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    let head = head.to_lowercase();
    assert!(head.contains("application/problem+json"), "{head}");
    assert!(head.contains("x-request-id: "), "{head}");
    let problem = serde_json::from_str(body).expect("a document");
    (status.parse().expect("a number"), problem)
}

fn post(length: usize, body: &str) -> String {
    format!(
        "POST {EXPORT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_slowly_is_given_up() {
    let server = Launch::new()
        .env("LIMITS__READ_TIMEOUT_SECONDS", 1)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 1)
        .env("INLINE__SLOTS", 1)
        .start();
    let body = export_of(&by_status()).to_string();
    let half = &body[..body.len() / 2];
    let silent = begun(server.api(), "");
    let head = begun(
        server.api(),
        "POST /v1/reports/query/export HTTP/1.1\r\nHost",
    );
    let bodies = [0; 3].map(|_| begun(server.api(), post(body.len(), half)));
    // They hold nothing that anyone else needs.
    let http = server.http();
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    tokio::task::spawn_blocking(move || {
        assert_eq!(rest_of(silent), "");
        assert_eq!(rest_of(head), "");
        for late in bodies {
            let (status, problem) = problem(&rest_of(late));
            assert_eq!((status, &problem["code"]), (408, &json!("request_timeout")));
            assert_eq!(problem["instance"], EXPORT);
        }
    })
    .await
    .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_holds_no_slot_and_is_cut_off() {
    let server = Launch::new()
        .demo_rows(80_000)
        .env("INLINE__SLOTS", 1)
        .env("INLINE__MAX_ROWS", 1_000_000)
        .env("INLINE__MAX_BYTES", 1 << 30)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 1)
        .env("LOG__FILTER", "info,waybill_api=debug")
        .start();
    // More than the sockets between the two take by themselves.
    let large = export_of(&all_sessions(1_000_000)).to_string();
    let mut slow = begun(server.api(), post(large.len(), &large));
    let mut first = [0; 12];
    slow.read_exact(&mut first).expect("the answer begins");
    assert_eq!(&first, b"HTTP/1.1 200");
    server
        .http()
        .post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    eventually("the connection is cut off", async || {
        server.logged().contains("was cut off").then_some(())
    })
    .await;
    let answer = tokio::task::spawn_blocking(move || rest_of(slow));
    let answer = answer.await.expect("no panic");
    let length = answer.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let length: usize = length.expect("a length");
    assert!(answer.len() < length, "it was given all {length} bytes");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = shared();
    let http = server.http();
    let long = |length: usize| "x".repeat(length);
    let answer = http
        .get(&format!("/v1/exports?cursor={}", long(9_000)))
        .await;
    answer.problem(414, "uri_too_long");
    let answer = http.get_with("/livez", &[("x-large", &long(40_000))]).await;
    answer.problem(431, "headers_too_large");
    // What is not even read whole is answered without a document, and ended.
    let monstrous = http
        .try_send("GET", "/livez", &[("x-large", &long(2_000_000))], "")
        .await;
    if let Ok(answer) = monstrous {
        assert_eq!(answer.status, 431, "{answer:?}");
    }
    http.get_with("/livez", &[("x-large", &long(30_000))])
        .await
        .expect(200);
}

#[tokio::test]
async fn http_2_has_the_same_bounds() {
    let server = shared();
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let get = async |target: &str, header: usize| {
        let url = format!("{}{target}", server.api());
        let request = client.get(url).header("x-large", "x".repeat(header));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        answer.status().as_u16()
    };
    assert_eq!(get("/livez", 30_000).await, 200);
    assert_eq!(get("/livez", 40_000).await, 431);
    let long = format!("/v1/exports?cursor={}", "x".repeat(9_000));
    assert_eq!(get(&long, 1).await, 414);
}
