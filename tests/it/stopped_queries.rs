//! A query of an export that its client wants no longer, as the database server sees it.

use std::fs;

use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};

use crate::harness::eventually;
use crate::harness::http::{EXPORT, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::export_of;
use crate::harness::server::Server;
use crate::harness::slow::rows_of;
use crate::harness::values::text;

/// Rows each of which the server thinks about for an hour.
const CATALOG: &str = r#"
[datasets.asleep]
sql = """
SELECT number AS id, timestamptz '2026-05-01 12:00:00Z' AS at, pg_sleep(3600)::text AS v
FROM generate_series(1, 1000) AS number"""
grain = "row"
shared = true
time = "at"

[datasets.asleep.dimensions]
id = { sql = "id", type = "integer" }
v = { sql = "v", type = "string" }
"#;

/// A server on a database of its own.
struct Sleeper {
    server: Server,
    database: Database<'static>,
    _folder: TempDir,
}

impl Sleeper {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let catalog = folder.path().join("catalog.toml");
        fs::write(&catalog, CATALOG).expect("the catalog is written");
        let database = Cluster::shared().database();
        let server = Launch::new()
            .own_source(&database.url(), &catalog)
            .env("WORKER__CONCURRENCY", 1)
            .start();
        Self {
            server,
            database,
            _folder: folder,
        }
    }

    /// Queries that the server runs for the export.
    fn running(&self) -> String {
        self.database.psql(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND state = 'active' AND query LIKE '%pg_sleep%'",
        )
    }

    /// An export whose query runs.
    async fn running_export(&self) -> String {
        let body = export_of(&rows_of("asleep"));
        let http = self.server.http();
        let accepted = http.post_with(EXPORT, &[RESPOND_ASYNC], &body).await;
        eventually("the query runs", async || {
            (self.running() == "1").then_some(())
        })
        .await;
        text(&accepted.accepted()["id"])
    }

    async fn the_query_stops(&self) {
        eventually("the query is stopped", async || {
            (self.running() == "0").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_query_of_a_cancelled_export_is_stopped_on_the_server() {
    let sleeper = Sleeper::start();
    let http = sleeper.server.http();
    // Twice, with one worker: nothing of the first is in the way of the second.
    for _ in 0..2 {
        let id = sleeper.running_export().await;
        http.cancel(&id).await.export();
        sleeper.the_query_stops().await;
        assert_eq!(http.export(&id).await["status"], "cancelled");
        assert!(sleeper.server.objects_of(&id).is_empty());
    }
}

#[tokio::test]
async fn the_query_of_a_deleted_export_is_stopped_on_the_server() {
    let sleeper = Sleeper::start();
    let http = sleeper.server.http();
    let id = sleeper.running_export().await;
    http.delete(&id).await.expect(204);
    sleeper.the_query_stops().await;
    http.knows_nothing_of(&id).await;
}
