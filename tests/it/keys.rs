//! API keys: who may call, as which organisation, and what each may see.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::http::{EXPORT, Http, QUERY};
use crate::harness::keys::{self, Key};
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::Server;
use crate::harness::values::text;
use crate::harness::{eventually, within};

/// Within which a key that was revoked is refused, as is promised.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

fn server() -> Server {
    Launch::new()
        .demo_rows(400)
        .env("AUTH__MODE", "keys")
        .start()
}

fn key(server: &Server, arguments: &[&str]) -> Http {
    Key::create(server, arguments).http(server)
}

#[tokio::test]
async fn without_a_key_nothing_is_told_but_how_the_service_is() {
    let server = server();
    let http = server.http();
    let wrong = server.http().with_key("waybill_0000000000000000_wrong");
    for http in [&http, &wrong] {
        for target in [
            "/v1/reports/catalog",
            "/api/v1/exports",
            "/v1/exports/export_x/download",
            "/v1/exports/export_x/events",
        ] {
            let answer = http.get(target).await;
            assert!(answer.has_header("www-authenticate").starts_with("Bearer"));
            answer.problem(401, "unauthorized");
        }
        for target in [QUERY, EXPORT] {
            let answer = http.post(target, &export_of(&by_status())).await;
            answer.problem(401, "unauthorized");
        }
    }
    let basic = http
        .get_with("/v1/exports", &[("authorization", "Basic dXNlcjpwYXNz")])
        .await;
    basic.problem(401, "unauthorized");
    for target in ["/livez", "/readyz", "/openapi.json", "/docs"] {
        http.get(target).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_is_its_organisation() {
    let server = server();
    let demo = key(&server, &["--org", "org_demo", "--role", "admin"]);
    let acme = key(&server, &["--org", "org_acme", "--role", "admin"]);
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": "2026-04-01T00:00:00Z", "to": "2026-06-30T00:00:00Z"},
        "dimensions": ["org_id"],
    });
    for (http, org) in [(&demo, "org_demo"), (&acme, "org_acme")] {
        let report = http.post(EXPORT, &export_of(&query)).await.report_export();
        let content = text(&report["content"]);
        let rows: Vec<&str> = content.lines().skip(1).collect();
        assert_eq!(rows.len(), 1, "{content}");
        assert!(rows[0].starts_with(&format!("{org},")), "{content}");
    }
    let accepted = demo.submit(&export_of(&query)).await;
    let target = format!("/v1/exports/{}", text(&accepted["id"]));
    demo.completed(&text(&accepted["id"])).await;
    acme.knows_nothing_of(&text(&accepted["id"])).await;
    demo.get(&target).await.export();
}

#[tokio::test]
async fn a_viewer_sees_what_its_key_made_and_an_admin_everything() {
    let server = server();
    let one = key(&server, &["--org", "org_demo", "--role", "viewer"]);
    let other = key(&server, &["--org", "org_demo", "--role", "viewer"]);
    let admin = key(&server, &["--org", "org_demo", "--role", "admin"]);
    let accepted = one.submit(&export_of(&by_status())).await;
    let target = format!("/v1/exports/{}", text(&accepted["id"]));
    one.get(&target).await.export();
    admin.get(&target).await.export();
    other.knows_nothing_of(&text(&accepted["id"])).await;
    let listed = async |http: &Http| {
        let list = http.get("/v1/exports").await.expect(200).json();
        list["data"].as_array().map(Vec::len)
    };
    assert_eq!(listed(&one).await, Some(1));
    assert_eq!(listed(&other).await, Some(0));
    assert_eq!(listed(&admin).await, Some(1));
}

#[tokio::test]
async fn a_key_for_some_datasets_knows_no_other() {
    let server = server();
    let http = key(
        &server,
        &[
            "--org",
            "org_demo",
            "--role",
            "viewer",
            "--datasets",
            "sessions",
        ],
    );
    let catalog = http.get("/v1/reports/catalog").await.expect(200).json();
    let names: Vec<&Value> = catalog["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|dataset| &dataset["name"])
        .collect();
    assert_eq!(names, ["sessions"]);
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
    let rows = json!({
        "dataset": "session_rows",
        "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
        "dimensions": ["status"],
    });
    let refused = http.post(EXPORT, &export_of(&rows)).await;
    refused.problem(403, "forbidden");
}

#[tokio::test]
async fn the_status_is_for_admins_and_the_metrics_are_for_everyone() {
    const STATUS: &str = "/v1/operations/status";
    let server = server();
    server.http().get("/metrics").await.expect(200);
    server.http().get(STATUS).await.problem(401, "unauthorized");
    let viewer = key(&server, &["--org", "org_demo", "--role", "viewer"]);
    viewer.get(STATUS).await.problem(403, "forbidden");
    let admin = key(&server, &["--org", "org_demo", "--role", "admin"]);
    let status = admin.get(STATUS).await.expect(200).json();
    assert_eq!(status["organisation"]["active_exports"], 0, "{status:#}");
}

#[tokio::test]
async fn a_revoked_key_is_worth_nothing_and_no_secret_is_kept() {
    let server = server();
    let key = Key::create(&server, &["--org", "org_demo", "--role", "admin"]);
    let (id, secret) = (&key.id, &key.secret);
    let http = key.http(&server);
    http.get("/v1/exports").await.expect(200);

    let listed = keys::run(&server, &["list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(listed.stdout.contains(id), "{}", listed.stdout);
    assert!(!listed.stdout.contains(secret), "{}", listed.stdout);

    key.revoke(&server);
    within(REVOKED_WITHIN, "the key is refused", async || {
        (http.get("/v1/exports").await.status == 401).then_some(())
    })
    .await;
    let unknown = keys::run(&server, &["revoke", "key_0000000000000000"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");

    let (_, tail) = secret.rsplit_once('_').expect("a secret has parts");
    assert!(!server.logged().contains(tail), "a secret in the log");
    let stored = server
        .services()
        .database()
        .psql("SELECT * FROM waybill.api_keys");
    assert!(!stored.contains(tail), "a secret in the database");
}

#[tokio::test]
async fn a_key_is_listed_with_its_last_use() {
    let server = server();
    let arguments = ["--org", "org_demo", "--role", "viewer", "--expires", "90d"];
    let used = Key::create(&server, &arguments);
    let unused = Key::create(&server, &arguments);
    used.http(&server).get("/v1/exports").await.expect(200);
    eventually("the use is listed", async || {
        let listed = keys::run(&server, &["list"]).stdout;
        let titles = listed.lines().next().expect("titles");
        let at = titles.find("LAST USED").expect("a column");
        let last_use = |key: &Key| {
            let line = listed.lines().find(|line| line.starts_with(&key.id));
            let cell = line.expect("it is listed").get(at..)?;
            cell.split_whitespace().next().map(str::to_owned)
        };
        assert_eq!(last_use(&unused).as_deref(), Some("-"));
        last_use(&used).filter(|cell| cell.ends_with('Z'))
    })
    .await;
}

#[tokio::test]
async fn each_key_has_a_rate() {
    let server = Launch::new()
        .demo_rows(100)
        .env("AUTH__MODE", "keys")
        .env("LIMITS__REQUESTS_PER_SECOND", 1)
        .env("LIMITS__BURST", 2)
        .start();
    let busy = key(&server, &["--org", "org_demo", "--role", "viewer"]);
    let other = key(&server, &["--org", "org_demo", "--role", "viewer"]);
    let export = export_of(&by_status());
    let refused = eventually("it calls too often", async || {
        let answer = busy.post(EXPORT, &export).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    let (code, _) = refused.expect(429).come_back_later();
    assert_eq!(code, "rate_limited");
    other.post(EXPORT, &export).await.report_export();
    eventually("it may call again", async || {
        let answer = busy.get("/v1/exports").await;
        (answer.status == 200).then_some(())
    })
    .await;
}
