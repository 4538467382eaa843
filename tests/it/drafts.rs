//! `waybill catalog draft`: what it writes is a catalog, on both kinds of database, and reports run on it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use waybill_test_services::postgres::Cluster;

use crate::harness::http::EXPORT;
use crate::harness::launch::{Deployment, Exit, Launch, command};
use crate::harness::reports::export_of;
use crate::harness::server::Server;

/// The same on both databases, and hardly a name in it that SQL takes as it is.
const ODD: &str = r#"
CREATE TABLE "Order" ("Org Id" text, "placed At" timestamptz, "select" text, "it's ""cents""" integer, "größe" real);
INSERT INTO "Order" VALUES
  ('org_demo', '2026-05-01 10:00:00Z', 'x', 250, 1.5), ('org_demo', '2026-05-01 11:00:00Z', 'x', 50, 2.5),
  ('org_else', '2026-05-01 10:00:00Z', 'secret', 1, 1);
CREATE VIEW "all; orders" AS SELECT * FROM "Order";
CREATE TABLE people ("user" text, born date);
"#;

fn draft(url: &str, folder: &Path, arguments: &[&str]) -> Exit {
    let mut command = command("catalog", folder);
    command
        .args(["draft", "--source", "default"])
        .args(arguments)
        .env("WAYBILL__SOURCES__DEFAULT__URL", url);
    Exit::of(command, folder)
}

/// The draft as a file that `catalog check` has nothing against.
fn checked_draft(url: &str, folder: &Path) -> (Exit, String) {
    let drafted = draft(url, folder, &[]);
    assert_eq!(drafted.code, Some(0), "{drafted:?}");
    fs::write(folder.join("drafted.toml"), &drafted.stdout).expect("the draft is written");
    let mut check = command("catalog", folder);
    check
        .args(["check", "--catalog", "drafted.toml"])
        .env("WAYBILL__SOURCES__DEFAULT__URL", url);
    let checked = Exit::of(check, folder);
    assert_eq!(checked.code, Some(0), "{checked:?}\n{}", drafted.stdout);
    let text = drafted.stdout.clone();
    (drafted, text)
}

#[test]
fn a_draft_of_the_demo_is_a_catalog_on_both_databases() {
    let folder = TempDir::new().expect("a folder for the test");
    let database = Cluster::shared().database();
    let mut demo = command("demo", folder.path());
    demo.args(["--source", "default", "--rows", "50"])
        .env("WAYBILL__SOURCES__DEFAULT__URL", database.url());
    assert_eq!(Exit::of(demo, folder.path()).code, Some(0));

    let data_dir = folder.path().join("data");
    drop(
        Launch::of(Deployment::Embedded)
            .data_dir(&data_dir)
            .demo_rows(50)
            .start(),
    );
    let file = data_dir.join("demo.sqlite");
    for url in [database.url(), format!("sqlite://{}", file.display())] {
        let (_, text) = checked_draft(&url, folder.path());
        for line in [
            "[datasets.sessions]",
            "[datasets.sessions_rows]",
            "tenant = \"org_id\"",
            "time = \"started_at\"",
            "updated = \"updated_at\"",
            "session_id = { sql = \"session_id\", type = \"uuid\" }",
            "total_duration_ms = { sql = \"sum(duration_ms)\"",
        ] {
            assert!(
                text.lines().any(|written| written.starts_with(line)),
                "{line} in {text}"
            );
        }
    }
}

#[tokio::test]
async fn reports_run_on_a_draft_of_odd_names_and_show_no_other_organisation() {
    let folder = TempDir::new().expect("a folder for the test");
    let database = Cluster::shared().database();
    database.psql(ODD);
    let file = folder.path().join("odd.db");
    Connection::open(&file)
        .and_then(|connection| connection.execute_batch(ODD))
        .expect("SQLite writes the rows");
    for url in [database.url(), format!("sqlite://{}", file.display())] {
        let (exit, text) = checked_draft(&url, folder.path());
        assert!(
            exit.stderr.contains("people"),
            "what is open is told: {exit:?}"
        );
        assert!(!text.contains("\n[datasets.people"), "{text}");
        assert!(!text.contains("\nshared"), "{text}");
        let server = Launch::new()
            .own_source(&url, &folder.path().join("drafted.toml"))
            .start();
        assert_eq!(
            content(&server, "order").await,
            "select,order_count,total_it_s_cents\nx,2,300\n"
        );
        assert_eq!(content(&server, "all_orders").await.lines().count(), 2);
    }
}

async fn content(server: &Server, dataset: &str) -> String {
    let query = json!({
        "dataset": dataset,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["select"],
        "measures": [format!("{dataset}_count"), "total_it_s_cents"],
    });
    server
        .http()
        .post(EXPORT, &export_of(&query))
        .await
        .content()
}

#[test]
fn a_draft_may_be_of_one_table_and_says_which_there_are() {
    let folder = TempDir::new().expect("a folder for the test");
    let database = Cluster::shared().database();
    database.psql("CREATE TABLE one (org text, at date); CREATE TABLE second (org text, at date)");
    for table in ["one", "public.one"] {
        let drafted = draft(&database.url(), folder.path(), &["--table", table]);
        assert_eq!(drafted.code, Some(0), "{drafted:?}");
        assert!(drafted.stdout.contains("[datasets.one]"), "{drafted:?}");
        assert!(!drafted.stdout.contains("second"), "{drafted:?}");
    }
    let missing = draft(&database.url(), folder.path(), &["--table", "none"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert_eq!(
        missing.stdout, "",
        "nothing but a catalog is on standard output"
    );
    assert!(missing.stderr.contains("one, second"), "{missing:?}");
}
