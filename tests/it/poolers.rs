//! `PgBouncer` between the service and its databases, in both of its modes.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use waybill_test_services::pgbouncer::{PgBouncer, PoolMode};
use waybill_test_services::postgres::{Cluster, SUPERUSER};

use crate::harness::http::{EXPORT, QUERY};
use crate::harness::launch::{Exit, Launch, command};
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::services::Services;

/// What sessions have that neither the server nor the pooler gave them. The pooler itself sets what a
/// client says when it connects, and what is a transaction's is told as if it were the session's.
const LEFT_BEHIND: &str = "
SELECT coalesce(string_agg(name || '=' || setting, ' '), '') FROM pg_settings
WHERE source = 'session'
  AND lower(name) NOT IN ('client_encoding', 'datestyle', 'timezone', 'standard_conforming_strings', 'application_name')
  AND name NOT IN ('transaction_isolation', 'transaction_read_only')";

/// Runs SQL as another application does that shares the pooler.
fn as_another(pooler: &PgBouncer, database: &str, sql: &str) -> String {
    let output = Command::new(Cluster::shared().programs().join("psql"))
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--host", "127.0.0.1"])
        .args(["--port", &pooler.address().port().to_string()])
        .args(["--username", SUPERUSER, "--dbname", database])
        .args(["--command", sql])
        .output()
        .expect("psql can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_source_behind_a_pooler_is_read_and_nothing_is_left_behind() {
    for mode in [PoolMode::Transaction, PoolMode::Session] {
        let services = Services::shared();
        let database = services.database().name().to_owned();
        let pooler = PgBouncer::start(services.cluster(), mode);
        let server = Launch::new()
            .demo_rows(3_000)
            .env("SOURCES__DEFAULT__URL", pooler.url(&database))
            .start_on(services);
        let http = server.http();
        let check = server.run_command("catalog", &["check"]);
        assert_eq!(check.code, Some(0), "{}", check.stderr);
        for _ in 0..5 {
            http.post(QUERY, &by_status()).await.expect(200);
            http.post(EXPORT, &export_of(&by_status()))
                .await
                .report_export();
        }
        let (export, file) = http.exported(&export_of(&all_sessions(Value::Null))).await;
        assert_eq!(export["row_count"], 3_000, "{export:#}");
        assert!(!file.is_empty());
        for _ in 0..10 {
            assert_eq!(as_another(&pooler, &database, LEFT_BEHIND), "", "{mode:?}");
        }
        as_another(
            &pooler,
            &database,
            "CREATE TABLE written (n int); DROP TABLE written",
        );
    }
}

#[tokio::test]
async fn a_ledger_behind_a_pooler_has_sessions_or_is_refused() {
    let services = Services::shared();
    let database = services.database().name().to_owned();
    let pooler = PgBouncer::start(services.cluster(), PoolMode::Session);
    let server = Launch::new()
        .env("DATABASE__URL", pooler.url(&database))
        .start_on(services);
    let http = server.http();
    let (export, _) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    assert_eq!(export["status"], "completed", "{export:#}");

    let folder = TempDir::new().expect("a folder");
    let database = Cluster::shared().database();
    let pooler = PgBouncer::start(Cluster::shared(), PoolMode::Transaction);
    let mut migrate = command("migrate", folder.path());
    migrate.env("WAYBILL__DATABASE__URL", pooler.url(database.name()));
    refused(&Exit::of(migrate, folder.path()));
}

fn refused(exit: &Exit) {
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    let line = "a pooler in transaction mode; connect directly or use session mode";
    assert!(exit.stderr.contains(line), "{}", exit.stderr);
    assert!(!exit.stderr.contains("does not answer"), "{}", exit.stderr);
}
