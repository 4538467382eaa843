//! Databases that are hard to reach: far away, or with a table that somebody has locked.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};
use waybill_test_services::proxy::Proxy;

use crate::harness::eventually;
use crate::harness::http::EXPORT;
use crate::harness::launch::Launch;
use crate::harness::reports::export_of;
use crate::harness::services::Services;

/// What a byte takes to a far database, and as much back.
const AWAY: Duration = Duration::from_millis(50);
/// Enough that one question after the other would take longer than anybody waits.
const COLUMNS: usize = 60;

/// The column of this number.
fn column(number: usize) -> String {
    format!("c{number}")
}

/// A table of many columns and one row, and the catalog of a dataset of the same name.
fn many_columns(database: &Database<'_>, table: &str) -> String {
    let mut columns = String::new();
    let mut catalog = format!(
        "[datasets.{table}]\ntable = \"{table}\"\ngrain = \"row\"\ntenant = \"org_id\"\ntime = \"at\"\n\
         [datasets.{table}.dimensions]\n"
    );
    for name in (0..COLUMNS).map(column) {
        write!(columns, ", '{name}'::text AS {name}").expect("a String takes everything");
        writeln!(
            catalog,
            "{name} = {{ sql = \"{name}\", type = \"string\" }}"
        )
        .expect("a String takes everything");
    }
    database.psql(&format!(
        "CREATE TABLE {table} AS
         SELECT 'org_demo' AS org_id, timestamptz '2026-05-01T00:00:00Z' AS at{columns}"
    ));
    catalog
}

/// A report of the first and the last column.
fn report(table: &str) -> Value {
    export_of(&json!({
        "dataset": table,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": [column(0), column(COLUMNS - 1)],
    }))
}

fn lines() -> String {
    let (first, last) = (column(0), column(COLUMNS - 1));
    format!("{first},{last}\n{first},{last}\n")
}

#[tokio::test]
async fn far_databases_are_worked_with() {
    let services = Services::shared();
    let address = services.cluster().address();
    let data = services.cluster().database();
    let folder = TempDir::new().expect("a folder for the test");
    let catalog = folder.path().join("catalog.toml");
    fs::write(&catalog, many_columns(&data, "items")).expect("the catalog is written");
    let (source, ledger) = (
        Proxy::before_postgres(address),
        Proxy::before_postgres(address),
    );
    source.delay(AWAY);
    ledger.delay(AWAY);
    let server = Launch::new()
        .own_source(&data.url_through(&source), &catalog)
        .worker_env("DATABASE__URL", services.database().url_through(&ledger))
        .start_on(services);
    let http = server.http();
    let answer = http.post(EXPORT, &report("items")).await;
    assert_eq!(answer.report_export()["content"], lines());
    let (_, file) = http.exported(&report("items")).await;
    assert_eq!(file, lines().into_bytes());
}

#[tokio::test]
async fn a_locked_table_holds_up_no_other() {
    let data = Cluster::shared().database();
    data.psql("CREATE TABLE releases (n int)");
    let catalog = many_columns(&data, "locked") + &many_columns(&data, "items");
    // The last one is wrong, which shows once the lock is gone.
    let catalog = catalog.replacen("sql = \"c1\"", "sql = \"no_such_column\"", 1);
    let folder = TempDir::new().expect("a folder for the test");
    let file = folder.path().join("catalog.toml");
    fs::write(&file, catalog).expect("the catalog is written");
    let name = data.name().to_owned();
    let holder = thread::spawn(move || {
        Cluster::shared().psql(
            &name,
            "DO $$ BEGIN
               LOCK TABLE locked;
               WHILE NOT EXISTS (SELECT 1 FROM releases) LOOP PERFORM pg_sleep(0.05); END LOOP;
             END $$",
        )
    });
    let locked = "SELECT count(*) FROM pg_locks
         WHERE relation = 'locked'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    eventually("the table is locked", async || {
        (data.psql(locked) == "1").then_some(())
    })
    .await;

    let url = data.url() + "?sslpassword=hunter2";
    let server = Launch::new().own_source(&url, &file).start();
    let http = server.http();
    let answer = http.post(EXPORT, &report("items")).await;
    assert_eq!(answer.report_export()["content"], lines());
    let check = ["check", "--catalog", &file.display().to_string()];
    let check = server.run_command("catalog", &check);
    assert_eq!(check.code, Some(1), "{check:?}");
    let place = "datasets.locked.table: somebody has locked";
    assert!(check.stderr.contains(place), "{check:?}");

    data.psql("INSERT INTO releases VALUES (1)");
    holder.join().expect("the lock is given up");
    eventually("the fault is found", async || {
        let fault = "datasets.locked.dimensions.c1";
        server.logged().contains(fault).then_some(())
    })
    .await;
    let answer = http.post(EXPORT, &report("locked")).await;
    assert_eq!(answer.report_export()["content"], lines());
    let logged = server.logged();
    assert!(logged.contains("sslpassword"), "it has no effect: {logged}");
    assert!(!logged.contains("hunter2"), "{logged}");
}
