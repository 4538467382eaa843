//! The commands around the two roles: what they refuse, and in which words.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};

use crate::harness::launch::{Exit, command};

const CATALOG: &str = r#"
[datasets.things]
table = "things"
grain = "row"
tenant = "org"
time = "at"
updated = "changed"

[datasets.things.dimensions]
id = { sql = "id", type = "integer" }
name = { sql = "name", type = "string" }
"#;

const TABLE: &str =
    "CREATE TABLE things (id int, name text, org text, at timestamptz, changed timestamptz)";

/// Runs a subcommand against this database.
fn run(database: &Database<'_>, folder: &Path, arguments: &[&str]) -> Exit {
    let mut command = command(arguments[0], folder);
    command
        .args(&arguments[1..])
        .env("WAYBILL__DATABASE__URL", database.url())
        .env("WAYBILL__SOURCES__DEFAULT__URL", database.url())
        .env("WAYBILL__CATALOG", folder.join("catalog.toml"))
        .env("WAYBILL__STORAGE__ENDPOINT", S3::shared().endpoint())
        .env("WAYBILL__STORAGE__BUCKET", BUCKET)
        .env("WAYBILL__STORAGE__ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("WAYBILL__STORAGE__SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("WAYBILL__API__LISTEN", "127.0.0.1:0");
    Exit::of(command, folder)
}

/// Its last line of output, which is what an operator reads.
fn last_line(exit: &Exit) -> &str {
    exit.stderr.lines().last().unwrap_or_default()
}

fn folder(catalog: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder for the test");
    fs::write(folder.path().join("catalog.toml"), catalog).expect("the catalog is written");
    folder
}

#[test]
fn both_roles_refuse_a_database_without_the_migrations() {
    let folder = folder(CATALOG);
    let database = Cluster::shared().database();
    database.psql(TABLE);
    for role in ["api", "worker"] {
        let exit = run(&database, folder.path(), &[role]);
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(last_line(&exit).contains("waybill migrate"), "{exit:?}");
    }
}

#[test]
fn migrating_twice_changes_nothing() {
    let folder = folder(CATALOG);
    let database = Cluster::shared().database();
    for _ in 0..2 {
        let exit = run(&database, folder.path(), &["migrate"]);
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(
        database.psql(tables),
        "0",
        "the user's schema is left alone"
    );
}

#[test]
fn a_catalog_is_held_against_its_source() {
    let folder = folder(CATALOG);
    let database = Cluster::shared().database();
    let missing = run(&database, folder.path(), &["catalog", "check"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    let said = format!("{}{}", missing.stdout, missing.stderr);
    assert!(
        said.contains("catalog.toml:3"),
        "the line of table in {said}"
    );

    database.psql(TABLE);
    let slow = run(&database, folder.path(), &["catalog", "check"]);
    assert_eq!(slow.code, Some(0), "{slow:?}");
    let said = format!("{}{}", slow.stdout, slow.stderr);
    assert!(said.contains("index"), "a warning in {said}");

    database.psql("CREATE INDEX ON things (org, at); CREATE INDEX ON things (org, changed)");
    let sound = run(&database, folder.path(), &["catalog", "check"]);
    assert_eq!(sound.code, Some(0), "{sound:?}");
    let said = format!("{}{}", sound.stdout, sound.stderr);
    assert!(!said.contains("index"), "no warning in {said}");

    database.psql("ALTER TABLE things RENAME COLUMN name TO title");
    let wrong = run(&database, folder.path(), &["catalog", "check"]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    let said = format!("{}{}", wrong.stdout, wrong.stderr);
    assert!(said.contains("datasets.things.dimensions.name"), "{said}");
    assert!(said.contains("catalog.toml:11"), "{said}");

    // The same mistake stops both roles.
    run(&database, folder.path(), &["migrate"]);
    for role in ["api", "worker"] {
        let exit = run(&database, folder.path(), &[role]);
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains("catalog.toml:11"), "{exit:?}");
    }
}

#[test]
fn a_check_counts_rows_without_a_time_when_it_is_asked_to() {
    let folder = folder(CATALOG);
    let database = Cluster::shared().database();
    database.psql(TABLE);
    database.psql("INSERT INTO things (id, at) VALUES (1, NULL), (2, NULL), (3, now())");
    let unasked = run(&database, folder.path(), &["catalog", "check"]);
    assert_eq!(unasked.code, Some(0), "{unasked:?}");
    assert!(!unasked.stderr.contains("without a time"), "{unasked:?}");
    let asked = ["catalog", "check", "--count-null-times"];
    let asked = run(&database, folder.path(), &asked);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let line =
        "catalog.toml:6: datasets.things.time: rows without a time, which are in no report: 2";
    assert!(asked.stderr.contains(line), "{asked:?}");
}

#[test]
fn without_a_key_no_api_listens_on_a_network() {
    let folder = folder(CATALOG);
    let database = Cluster::shared().database();
    let mut command = command("api", folder.path());
    command
        .args(["--listen", "0.0.0.0:0"])
        .env("WAYBILL__AUTH__MODE", "none")
        .env("WAYBILL__DATABASE__URL", database.url());
    let exit = Exit::of(command, folder.path());
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(last_line(&exit).contains("auth.mode"), "{exit:?}");
}
