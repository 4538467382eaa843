//! The log: one line a request that says whose it was, and nothing that opens a door.

use serde_json::Value;
use waybill_test_services::s3::SECRET_ACCESS_KEY;

use crate::harness::http::{EXPORT, Http, RESPOND_ASYNC};
use crate::harness::keys::Key;
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of};
use crate::harness::services::Services;
use crate::harness::values::text;

/// What must never be logged: it stands in the URL of the database.
const PASSWORD: &str = "a-password-of-the-database";

/// All that our own code has to say, as JSON.
const FILTER: &str = "info,waybill=debug,waybill_api=debug,waybill_report=debug,waybill_ledger=debug,waybill_store=debug,waybill_worker=debug";

fn launch(services: &Services) -> Launch {
    let url = services.database().url();
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (user, host) = rest.split_once('@').expect("a user");
    let url = format!("{scheme}://{user}:{PASSWORD}@{host}");
    Launch::new()
        .demo_rows(200)
        .env("AUTH__MODE", "keys")
        .env("DATABASE__URL", &url)
        .env("SOURCES__DEFAULT__URL", &url)
        .env("LOG__FORMAT", "json")
        .env("LOG__FILTER", FILTER)
}

/// The line of the request with this id.
fn line_of(log: &str, request_id: &str) -> Value {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let mut lines = lines.map(|line| -> Value { serde_json::from_str(line).expect("JSON") });
    let of_request =
        |line: &Value| line["span"]["request_id"] == request_id && line["milliseconds"].is_number();
    let line = lines.find(of_request);
    line.unwrap_or_else(|| panic!("no line of {request_id} in {log}"))
}

async fn get(http: &Http, target: &str, request_id: &str) -> u16 {
    let headers = [("x-request-id", request_id)];
    http.get_with(target, &headers).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_logged_with_whose_it_was_and_without_its_secrets() {
    let services = Services::own();
    let mut server = launch(&services).start_on(services);
    let key = Key::create(&server, &["--org", "org_demo", "--role", "admin"]);
    let http = key.http(&server);
    let (_, tail) = key.secret.rsplit_once('_').expect("a secret has parts");

    let headers = [RESPOND_ASYNC, ("x-request-id", "the-post")];
    let accepted = http
        .post_with(EXPORT, &headers, &export_of(&by_status()))
        .await
        .accepted();
    let id = text(&accepted["id"]);
    let export = http.completed(&id).await;
    http.file_of(&export).await;
    let download = format!("/v1/exports/{id}/download");
    assert_eq!(get(&http, &download, "the-download").await, 307);
    assert_eq!(get(&http, "/v1/exports?limit=0", "the-fault").await, 400);
    let wrong = server.http().with_key(&key.secret.replace(tail, "wrong"));
    assert_eq!(get(&wrong, "/v1/exports", "the-intruder").await, 401);
    let secret_in_path = format!("/v1/exports/x?key={tail}");
    assert_eq!(get(&http, &secret_in_path, "the-query").await, 404);
    // Errors tell of their causes, which may be about what the database's URL says.
    server.services().cluster().stop();
    assert_eq!(get(&http, &download, "the-outage").await, 503);
    server.terminate();

    let log = server.logged();
    for (what, secret) in [
        ("a key", tail),
        ("a presigned URL", "X-Amz-Signature"),
        ("a password", PASSWORD),
        ("the store's key", SECRET_ACCESS_KEY),
    ] {
        assert!(!log.contains(secret), "{what} in the log");
    }
    for (request_id, method, status, code) in [
        ("the-post", "POST", 202, None),
        ("the-download", "GET", 307, None),
        ("the-fault", "GET", 400, Some("invalid_request")),
        ("the-query", "GET", 404, Some("export_not_found")),
        ("the-intruder", "GET", 401, Some("unauthorized")),
    ] {
        let line = line_of(&log, request_id);
        let span = &line["span"];
        assert_eq!(line["method"], method, "{line:#}");
        assert_eq!(line["status"], status, "{line:#}");
        assert_eq!(line["code"].as_str(), code, "{line:#}");
        assert!(text(&line["path"]).starts_with("/v1/"), "{line:#}");
        let known = request_id != "the-intruder";
        let (org, key_id) = (span["org"].as_str(), span["key_id"].as_str());
        assert_eq!(org, known.then_some("org_demo"), "{line:#}");
        assert_eq!(key_id, known.then_some(key.id.as_str()), "{line:#}");
        let of_export = matches!(request_id, "the-post" | "the-download");
        let export_id = span["export_id"].as_str();
        assert_eq!(export_id, of_export.then_some(id.as_str()), "{line:#}");
    }
    let outage = line_of(&log, "the-outage");
    assert_eq!(outage["code"], "database_unavailable", "{outage:#}");
    assert!(outage["cause"].is_string(), "{outage:#}");
    let of_worker = log.lines().any(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let span = &line["span"];
        span["name"] == "export" && span["export_id"] == id.as_str() && span["org"] == "org_demo"
    });
    assert!(of_worker, "no line of the worker in {log}");
}
