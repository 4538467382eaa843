//! Cells that are too large, and large ones that are not: what a client reads, and that no process
//! holds more of them than it should.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};

use crate::harness::http::{EXPORT, Http, QUERY};
use crate::harness::launch::{Deployment, Launch};
use crate::harness::reports::{export_of, with};
use crate::harness::server::Server;
use crate::harness::values::text;

const MIB: u64 = 1 << 20;
/// What a cell may have unless the setting says otherwise.
const MAX_CELL_BYTES: u64 = 8 * MIB;
/// Exports at once.
const AT_ONCE: usize = 4;
/// The most that a process may hold which answers, and one in which exports are made.
const MOST_OF_API: u64 = 96 * MIB;
const MOST_OF_WORKER: u64 = 96 * MIB + 12 * MAX_CELL_BYTES;
/// More than the latter: these tests run without optimisation, beside each other.
const ALLOWANCE: u64 = 96 * MIB;

const CATALOG: &str = r#"
[datasets.files]
table = "files"
grain = "row"
tenant = "org_id"
time = "at"

[datasets.files.dimensions]
id = { sql = "id", type = "integer" }
kind = { sql = "kind", type = "string" }
body = { sql = "body", type = "string" }
computed = { sql = "body || ''", type = "string" }
"#;

/// The table of the files, in PostgreSQL or SQLite; keep it as long as the server.
struct Files {
    folder: TempDir,
    database: Option<Database<'static>>,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("catalog.toml"), CATALOG).expect("the catalog is written");
        let database = match crate::DEPLOYMENT {
            Deployment::Embedded => None,
            Deployment::Distributed => Some(Cluster::shared().database()),
        };
        let files = Self { folder, database };
        files
            .execute("CREATE TABLE files (id integer, org_id text, at text, kind text, body text)");
        if let Some(database) = &files.database {
            // A text of one character repeated is packed well: most of what is large is large only
            // once it is sent.
            database.psql("ALTER TABLE files ALTER at TYPE timestamptz USING at::timestamptz");
        }
        files
    }

    fn sqlite(&self) -> PathBuf {
        self.folder.path().join("files.db")
    }

    fn execute(&self, sql: &str) {
        match &self.database {
            Some(database) => drop(database.psql(sql)),
            None => Connection::open(self.sqlite())
                .and_then(|database| database.execute_batch(sql))
                .expect("SQLite takes it"),
        }
    }

    /// Adds so many rows with bodies of so many bytes.
    fn add(&self, kind: &str, rows: usize, bytes: u64) {
        let (body, numbers) = match self.database {
            Some(_) => (
                format!("repeat('x', {bytes})"),
                format!("SELECT generate_series(1, {rows}) AS n"),
            ),
            // Twice as many digits as bytes, all of them 0.
            None => (
                format!("substr(hex(zeroblob(({bytes} + 1) / 2)), 1, {bytes})"),
                format!(
                    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < {rows}) SELECT n FROM x"
                ),
            ),
        };
        self.execute(&format!(
            "INSERT INTO files SELECT n, 'org_demo', '2026-05-01T00:00:00Z', '{kind}', {body} FROM ({numbers}) AS numbers"
        ));
    }

    fn launch(&self) -> Launch {
        let catalog = self.folder.path().join("catalog.toml");
        match &self.database {
            Some(database) => Launch::new().own_source(&database.url(), &catalog),
            None => Launch::new().own_data(&self.sqlite(), &catalog),
        }
    }
}

fn query(kind: &str, column: &str) -> Value {
    json!({
        "dataset": "files",
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["id", column],
        "filters": [{"field": "kind", "op": "eq", "value": kind}],
        "limit": null,
    })
}

/// The same where every row may not be asked for.
fn at_once(query: Value) -> Value {
    with(query, "limit", 10)
}

fn assert_small(server: &Server) {
    let (api, worker) = (server.peak_memory_of_api(), server.peak_memory_bytes());
    if !server.is_one_process() {
        assert!(api <= MOST_OF_API, "the API's peak: {} MiB", api / MIB);
    }
    assert!(
        worker <= MOST_OF_WORKER + ALLOWANCE,
        "the worker's peak: {} MiB",
        worker / MIB
    );
}

async fn too_large(http: &Http, accepted: &Value, column: &str) {
    let failed = http.export_once(&text(&accepted["id"]), "failed").await;
    let error = &failed["error"];
    assert_eq!(error["code"], "cell_too_large", "{failed:#}");
    let detail = text(&error["detail"]);
    assert!(
        detail.contains(column) && detail.contains(&MAX_CELL_BYTES.to_string()),
        "{detail}"
    );
}

#[tokio::test]
async fn a_cell_that_is_too_large_is_refused_wherever_it_is_asked_for() {
    let files = Files::new();
    files.add("huge", 1, 200 * MIB);
    files.add("medium", 1, 3 * MIB);
    let server = files.launch().start();
    let http = server.http();
    let huge = query("huge", "body");

    let mut exports = Vec::new();
    for number in 0..AT_ONCE {
        let body = export_of(&with(huge.clone(), "limit", 10 + number));
        exports.push(http.submit(&body).await);
    }
    for accepted in exports {
        too_large(&http, &accepted, "body").await;
    }
    // An answer that it cannot fit into becomes an export, which says what is wrong.
    let accepted = http.post(EXPORT, &export_of(&huge)).await.accepted();
    too_large(&http, &accepted, "body").await;
    let problem = http.post(QUERY, &at_once(huge)).await;
    let problem = problem.problem(400, "cell_too_large");
    assert!(text(&problem["detail"]).contains("body"), "{problem:#}");

    // One that an export takes is only too large for an answer.
    let medium = query("medium", "body");
    let problem = http.post(QUERY, &at_once(medium.clone())).await;
    let problem = problem.problem(400, "invalid_query");
    assert_eq!(problem["errors"][0]["pointer"], "/limit", "{problem:#}");
    let accepted = http.post(EXPORT, &export_of(&medium)).await.accepted();
    let export = http.completed(&text(&accepted["id"])).await;
    assert_eq!(
        http.file_of(&export).await.len() as u64,
        "id,body\n1,\n".len() as u64 + 3 * MIB
    );

    // Who does not ask for it does not notice.
    let content = http
        .post(EXPORT, &export_of(&query("huge", "kind")))
        .await
        .content();
    assert_eq!(content, "id,kind\n1,huge\n");
    assert_small(&server);
}

#[tokio::test]
async fn what_is_computed_of_a_huge_cell_is_refused_too() {
    let files = Files::new();
    // The longest that SQLite stores.
    let bytes = match crate::DEPLOYMENT {
        Deployment::Embedded => 1_000_000_000 - 1_000,
        Deployment::Distributed => 300 * MIB,
    };
    files.add("huge", 1, bytes);
    let server = files.launch().start();
    let http = server.http();
    for column in ["body", "computed"] {
        let accepted = http.submit(&export_of(&query("huge", column))).await;
        let failed = http.export_once(&text(&accepted["id"]), "failed").await;
        assert_eq!(failed["error"]["code"], "cell_too_large", "{failed:#}");
        let answer = http.post(QUERY, &at_once(query("huge", column))).await;
        answer.problem(400, "cell_too_large");
    }
    assert_small(&server);
}

#[tokio::test]
async fn many_large_rows_at_once_are_exported_within_bounds() {
    let files = Files::new();
    files.add("large", 60, 5 * MIB);
    let server = files.launch().start();
    let http = server.http();
    let body = |limit: usize| export_of(&with(query("large", "body"), "limit", limit));
    let mut accepted = Vec::new();
    for number in 0..AT_ONCE {
        accepted.push(http.submit(&body(1_000 + number)).await);
    }
    for export in accepted {
        let export = http.completed(&text(&export["id"])).await;
        assert_eq!(export["row_count"], 60);
        assert!(export["size_bytes"].as_u64() > Some(60 * 5 * MIB));
    }
    assert_small(&server);
}
