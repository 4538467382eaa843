//! Data that does not allow what a report asks of it: the client hears what kind of fault it is, the
//! operator where it is, and nobody reads the data itself.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use waybill_test_services::postgres::Cluster;

use crate::harness::http::{EXPORT, QUERY, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::export_of;
use crate::harness::server::Server;
use crate::harness::values::text;

/// What stands in the cells. It is neither a number nor a document, and no line of its own.
const SECRET: &str = "hunter2\nERROR forged";

const CATALOG: &str = r#"
[datasets.things]
table = "things"
grain = "row"
tenant = "org_id"
time = "at"

[datasets.things.dimensions]
id = { sql = "id", type = "integer" }
quotient = { sql = "id / (id - 2)", type = "integer" }
member = { sql = "json_extract(s, '$.a')", postgres = "(s::json ->> 'a')", type = "string" }
number = { sql = "json_extract(s, '$[0]')", postgres = "s::int", type = "integer" }

[datasets.sums]
table = "things"
grain = "aggregate"
tenant = "org_id"
time = "at"

[datasets.sums.measures]
total = { sql = "sum(n)", type = "integer" }
"#;

fn query_of(dataset: &str, dimensions: &[&str], measures: &[&str]) -> Value {
    json!({
        "dataset": dataset,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": dimensions,
        "measures": measures,
    })
}

fn rows() -> String {
    format!(
        "CREATE TABLE things (id bigint, org_id text, at {{timestamp}}, n bigint, s text);
         INSERT INTO things VALUES
           (1, 'org_demo', '2026-05-01T00:00:00Z', 9223372036854775807, '{SECRET}'),
           (2, 'org_demo', '2026-05-01T00:00:00Z', 9223372036854775807, '{SECRET}')"
    )
}

fn launch(url: &str, folder: &Path) -> Launch {
    let catalog = folder.join("catalog.toml");
    fs::write(&catalog, CATALOG).expect("the catalog is written");
    Launch::new().own_source(url, &catalog)
}

/// Each query fails in every way of asking, and says so without the data.
async fn each_fails_as(server: &Server, code: &str, queries: &[(Value, &str)]) {
    let http = server.http();
    for (query, word) in queries {
        let problem = http.post(QUERY, query).await.problem(400, code);
        let export = export_of(query);
        let at_once = http.post(EXPORT, &export).await.problem(400, code);
        let accepted = http.post_with(EXPORT, &[RESPOND_ASYNC], &export).await;
        let id = text(&accepted.accepted()["id"]);
        let failed = http.export_once(&id, "failed").await;
        assert_eq!(failed["error"]["code"], code, "{failed:#}");
        let offers_retry = failed["error"].to_string().contains("\"retry\"");
        assert_eq!(offers_retry, code == "query_failed", "{failed:#}");
        assert_eq!(
            failed["attempt"], 2,
            "one failure: the same data would fail again"
        );
        for problem in [&problem, &at_once, &failed["error"]] {
            let detail = text(&problem["detail"]);
            assert!(detail.contains(word), "{detail} has no {word}");
            assert!(!problem.to_string().contains("hunter2"), "{problem:#}");
        }
    }
}

/// The others go on, and nothing of it is in the log.
async fn each_is_the_clients(server: Server, queries: &[(Value, &str)]) {
    each_fails_as(&server, "query_failed", queries).await;
    let http = server.http();
    let good = query_of("things", &["id"], &[]);
    http.post(QUERY, &good).await.expect(200);
    let logged = server.logged();
    assert!(
        !logged.contains("hunter2") && !logged.contains("forged"),
        "{logged}"
    );
    assert!(
        !logged.contains("request failed"),
        "none is the service's own"
    );
}

#[tokio::test]
async fn a_fault_in_a_file_is_the_clients_and_names_no_data() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("things.db");
    let database = Connection::open(&file).expect("a file");
    let rows = rows().replace("{timestamp}", "text");
    database.execute_batch(&rows).expect("rows");
    let url = format!("sqlite://{}", file.display());
    let queries = [
        (query_of("things", &["id", "member"], &[]), "data"),
        (query_of("sums", &[], &["total"]), "data"),
    ];
    each_is_the_clients(launch(&url, folder.path()).start(), &queries).await;
}

#[tokio::test]
async fn a_value_that_no_file_can_hold_names_its_column_and_row() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("things.db");
    let database = Connection::open(&file).expect("a file");
    database
        .execute_batch(
            "CREATE TABLE things (id, org_id text, at text, n, s);
             INSERT INTO things VALUES (1, 'org_demo', '2026-05-01T00:00:00Z', 1, '[7]'),
               ('hunter2', 'org_demo', '2026-05-01T00:00:00Z', 1, '[\"hunter2\"]')",
        )
        .expect("rows");
    let url = format!("sqlite://{}", file.display());
    let server = launch(&url, folder.path()).start();
    let queries = [
        (
            query_of("things", &["id"], &[]),
            "The column id has, in row 2 of the file, a value",
        ),
        (
            query_of("things", &["number"], &[]),
            "The column number has, in row 2 of the file, a value",
        ),
    ];
    each_fails_as(&server, "value_unrepresentable", &queries).await;
    let logged = server.logged();
    assert!(!logged.contains("hunter2"), "{logged}");
    assert!(!logged.contains("request failed"), "none is its own");
}

#[tokio::test]
async fn a_time_that_is_no_instant_names_its_row_and_is_nobody_elses() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("things.db");
    let database = Connection::open(&file).expect("a file");
    database
        .execute_batch(
            "CREATE TABLE things (id integer primary key, org_id text, at text, n, s);
             CREATE INDEX by_time ON things (org_id, at);
             INSERT INTO things (id, org_id, at) VALUES
               (1, 'org_demo', '2026-05-01T00:00:00Z'), (2, 'org_other', '24.04.2026'), (3, 'org_other', 'N/A')",
        )
        .expect("rows");
    let url = format!("sqlite://{}", file.display());
    let server = launch(&url, folder.path()).start();
    let http = server.http();
    let query = query_of("things", &["id"], &[]);
    let report = http.post(QUERY, &query).await.expect(200).json();
    assert_eq!(report["rows"], json!([{ "id": 1 }]));
    database
        .execute_batch("INSERT INTO things (id, org_id, at) VALUES (77, 'org_demo', '24.04.2026')")
        .expect("a row");
    for (route, body) in [(QUERY, query.clone()), (EXPORT, export_of(&query))] {
        let problem = http
            .post(route, &body)
            .await
            .problem(400, "value_unrepresentable");
        let detail = text(&problem["detail"]);
        assert!(
            detail.contains("column time") && detail.contains("the row with rowid 77"),
            "{detail}"
        );
    }
    database
        .execute_batch("UPDATE things SET at = '2026-04-24' WHERE id = 77")
        .expect("a row");
    http.post(QUERY, &query).await.expect(200);
}

#[tokio::test]
async fn a_fault_in_a_servers_table_is_the_clients_and_names_no_data() {
    let folder = TempDir::new().expect("a folder");
    let database = Cluster::shared().database();
    database.psql(&rows().replace("{timestamp}", "timestamptz"));
    let queries = [
        (
            query_of("things", &["quotient"], &[]),
            "division by zero (SQLSTATE 22012, class 22: data exception)",
        ),
        (query_of("things", &["member"], &[]), "class 22"),
        (query_of("things", &["number"], &[]), "class 22"),
    ];
    each_is_the_clients(launch(&database.url(), folder.path()).start(), &queries).await;
    let total = query_of("sums", &[], &["total"]);
    let server = launch(&database.url(), folder.path()).start();
    let word = "The column total has, in row 1 of the file, a value that is not of its type: a number beyond the integers";
    each_fails_as(&server, "value_unrepresentable", &[(total, word)]).await;
}
