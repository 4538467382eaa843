//! What stands around the reports: health, request ids, the rendered document, what the start prints.

use crate::harness::http::{EXPORT, JSON};
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::shared;

#[tokio::test]
async fn a_ready_server_is_live_and_ready() {
    let server = Launch::new().start();
    let http = server.http();
    // The ready file is written once this is so, not before.
    http.get("/readyz").await.expect(200);
    http.get("/livez").await.expect(200);
    assert_ne!(server.api(), server.s3());
}

#[tokio::test]
async fn a_request_id_comes_back_or_is_made() {
    let server = shared();
    let http = server.http();
    let body = export_of(&by_status());
    let answer = http
        .post_with(EXPORT, &[("x-request-id", "client-4711")], &body)
        .await;
    assert_eq!(answer.has_header("x-request-id"), "client-4711");
    let answer = http
        .get_with("/nope", &[("x-request-id", "client-4712")])
        .await;
    assert_eq!(answer.has_header("x-request-id"), "client-4712");
    answer.problem(404, "route_not_found");

    let mut made = Vec::new();
    for _ in 0..3 {
        let answer = http
            .send("POST", EXPORT, &[JSON], body.to_string())
            .await
            .expect(200);
        made.push(answer.has_header("x-request-id").to_owned());
    }
    assert!(made.iter().all(|id| !id.is_empty()), "{made:?}");
    assert!(made[0] != made[1] && made[1] != made[2], "{made:?}");

    let (longest, longer) = ("x".repeat(128), "x".repeat(129));
    let sent = async |id: &str| {
        let answer = http.get_with("/livez", &[("x-request-id", id)]).await;
        answer.has_header("x-request-id").to_owned()
    };
    assert_eq!(sent(&longest).await, longest);
    for odd in ["", "a b", &longer] {
        let id = sent(odd).await;
        assert!(id != odd && id.len() == 36, "{id}");
    }
}

#[tokio::test]
async fn the_document_is_rendered_for_people() {
    let server = shared();
    let answer = server.http().get("/docs").await.expect(200);
    assert_eq!(answer.media_type(), "text/html");
    assert!(
        answer.text().contains("export_report_query"),
        "the operations are named"
    );
}
