//! The source on real files: values, snapshots, ends.

use std::time::Duration;

use arrow_array::RecordBatch;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::caller::{Caller, OrgId, Role};
use crate::catalog::Catalog;
use crate::encode::{Format, Trailer, encoder};
use crate::query::{ReportPlan, ReportRequest};
use crate::source::Sources;

const CATALOG: &str = r#"
[datasets.things]
table = "things"
grain = "row"
tenant = "org"
time = "at"
updated = "at"

[datasets.things.dimensions]
s = { sql = "s", type = "string" }
i = { sql = "i", type = "integer" }
f = { sql = "f", type = "float" }
d = { sql = "d", type = "decimal" }
b = { sql = "b", type = "boolean" }
at = { sql = "at", type = "timestamp" }
day = { sql = "day", type = "date" }
u = { sql = "u", type = "uuid" }
j = { sql = "j", type = "json" }

[datasets.groups]
table = "things"
grain = "aggregate"
tenant = "org"
time = "at"

[datasets.groups.dimensions]
d = { sql = "d", type = "decimal" }
u = { sql = "u", type = "uuid" }
at = { sql = "at", type = "timestamp" }

[datasets.groups.measures]
n = { sql = "count(*)", type = "integer" }
"#;

struct Fixture {
    _dir: TempDir,
    writer: Connection,
    sources: Sources,
}

impl Fixture {
    fn new(rows: &str) -> Self {
        let dir = TempDir::new().expect("a folder");
        let path = dir.path().join("things.sqlite");
        let writer = Connection::open(&path).expect("a file");
        writer
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE things (org, at, s, i, f, d, b, day, u, j);
                 {rows}"
            ))
            .expect("rows");
        let mut sources = Sources::default();
        sources.add("default", Arc::new(SqliteSource::new(path)));
        Self {
            _dir: dir,
            writer,
            sources,
        }
    }

    async fn snapshot(&self, plan: &ReportPlan) -> Result<Snapshot, SourceError> {
        self.sources
            .open(plan, 1_000_000, Duration::from_millis(500))
            .await
    }

    async fn csv(&self, query: Value) -> Result<String, SourceError> {
        let plan = plan(query);
        let mut snapshot = self.snapshot(&plan).await?;
        let mut encoder = encoder(Format::Csv, plan.columns(), snapshot.materialized_at);
        let mut file = Vec::new();
        encoder.begin(&mut file);
        while let Some(batch) = snapshot.next().await {
            encoder
                .write(&batch?, &mut file)
                .expect("an encodable batch");
        }
        let trailer = Trailer {
            limit_reached: false,
            freshness_lag_ms: None,
        };
        encoder.finish(&trailer, &mut file);
        Ok(String::from_utf8(file).expect("UTF-8"))
    }
}

fn plan(mut query: Value) -> ReportPlan {
    query["time_range"] = json!({ "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" });
    query["limit"] = Value::Null;
    let body = json!({ "query": query });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new("a"),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    catalog.plan(&request, &caller).expect("a valid query")
}

#[tokio::test]
async fn nine_types_and_null_arrive() {
    let fixture = Fixture::new(
        r#"INSERT INTO things VALUES
            ('a', '2026-03-01 10:00:00', 'x', 1, 1.5, '1.50', 1, '2026-03-01',
             '0193AAAA-0000-7000-8000-000000000001', '{"k": [1, 2.50]}'),
            ('a', 1767225600, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('b', '2026-03-01 10:00:00', 'secret', 1, 1, 1, 1, NULL, NULL, NULL);"#,
    );
    let all = ["s", "i", "f", "d", "b", "at", "day", "u", "j"];
    let csv = fixture
        .csv(json!({ "dataset": "things", "dimensions": all, "order_by": [{ "dimension": "at", "direction": "desc" }] }))
        .await
        .expect("rows");
    assert_eq!(
        csv,
        "s,i,f,d,b,at,day,u,j\n\
         x,1,1.5,1.50,true,2026-03-01T10:00:00Z,2026-03-01,0193aaaa-0000-7000-8000-000000000001,\"{\"\"k\"\":[1,2.50]}\"\n\
         ,,,,,2026-01-01T00:00:00Z,,,\n"
    );
}

#[tokio::test]
async fn values_stored_in_several_ways_compare_as_one() {
    let fixture = Fixture::new(
        "INSERT INTO things (org, at, d, u) VALUES
            ('a', '2026-03-01T10:00:00Z',      '10',    '0193AAAA-0000-7000-8000-000000000001'),
            ('a', '2026-03-01 12:00:00+02:00', 10,      '0193aaaa-0000-7000-8000-000000000001'),
            ('a', '2026-03-01 10:00:00.000',   '10.00', x'0193AAAA000070008000000000000001'),
            ('a', '2026-03-01T10:00:00.5Z',    '9.5',   NULL);",
    );
    let csv = fixture
        .csv(json!({ "dataset": "groups", "dimensions": ["at", "u"], "measures": ["n"], "order_by": [{ "dimension": "at" }] }))
        .await
        .expect("groups");
    assert_eq!(
        csv,
        "at,u,n\n\
         2026-03-01T10:00:00Z,0193aaaa-0000-7000-8000-000000000001,3\n\
         2026-03-01T10:00:00.5Z,,1\n"
    );
    let csv = fixture
        .csv(json!({
            "dataset": "things", "dimensions": ["d"], "order_by": [{ "dimension": "d" }],
            "filters": [{ "field": "d", "op": "lt", "value": 10.1 }, { "field": "u", "op": "eq", "value": null }],
        }))
        .await
        .expect("rows");
    assert_eq!(csv, "d\n9.5\n");
    let csv = fixture
        .csv(json!({ "dataset": "groups", "dimensions": ["d"], "measures": ["n"], "order_by": [{ "dimension": "d", "direction": "desc" }] }))
        .await
        .expect("groups");
    let counts: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.rsplit(',').next())
        .collect();
    assert_eq!(
        counts,
        ["n", "3", "1"],
        "10, 10.00 and 9.5: by value, not as text"
    );
}

#[tokio::test]
async fn the_range_is_half_open_whatever_the_form() {
    let fixture = Fixture::new(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2025-12-31T23:59:59.999999Z', 1),
            ('a', '2026-01-01', 2),
            ('a', '2025-12-31T20:00:00-04:00', 3),
            ('a', 1798761599, 4),
            ('a', 1798761600, 5),
            ('a', '2027-01-01T00:00:00Z', 6),
            ('a', '2027-01-01 05:00:00+05:30', 7),
            ('a', NULL, 8);",
    );
    let csv = fixture
        .csv(
            json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }] }),
        )
        .await
        .expect("rows");
    assert_eq!(csv, "i\n2\n3\n4\n7\n");
}

#[tokio::test]
async fn a_snapshot_does_not_see_later_writes() {
    let fixture = Fixture::new("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 1);");
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let mut snapshot = fixture.snapshot(&plan).await.expect("a snapshot");
    fixture
        .writer
        .execute_batch("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-06', 2);")
        .expect("a later row");
    let mut rows = 0;
    while let Some(batch) = snapshot.next().await {
        rows += batch.expect("a batch").num_rows();
    }
    assert_eq!(rows, 1);
    assert_eq!(
        snapshot
            .source_updated_at
            .map(|updated| updated.to_rfc3339()),
        Some("2026-01-05T00:00:00+00:00".to_owned())
    );
}

#[tokio::test]
async fn what_is_not_of_its_type_fails_and_names_the_column() {
    let fixture =
        Fixture::new("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 'many');");
    let error = fixture
        .csv(json!({ "dataset": "things", "dimensions": ["i"] }))
        .await
        .expect_err("text is no integer");
    assert!(matches!(error, SourceError::Value { column, .. } if column == "i"));
}

#[tokio::test]
async fn a_refused_statement_is_reported_at_the_opening() {
    let fixture = Fixture::new("");
    fixture
        .writer
        .execute_batch("DROP TABLE things")
        .expect("no table");
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let error = fixture.snapshot(&plan).await.expect_err("no such table");
    assert!(matches!(error, SourceError::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_dropped_snapshot_stops_its_query_and_spoils_no_other() {
    let fixture = Fixture::new(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
         INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', i FROM n;",
    );
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    for _ in 0..20 {
        let mut snapshot = fixture.snapshot(&plan).await.expect("a snapshot");
        let first: Option<Result<RecordBatch, SourceError>> = snapshot.next().await;
        assert!(matches!(first, Some(Ok(_))));
        drop(snapshot);
    }
    let csv = fixture
        .csv(json!({ "dataset": "things", "dimensions": ["i"] }))
        .await
        .expect("an undisturbed report");
    assert_eq!(csv.lines().count(), 200_001);
}

#[tokio::test]
async fn a_catalog_is_held_against_its_source() {
    let fixture = Fixture::new("");
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    assert_eq!(catalog.check(&fixture.sources).await.expect("SQLite"), None);

    let wrong = CATALOG
        .replace("i = { sql = \"i\"", "i = { sql = \"missing_column\"")
        .replace(
            "tenant = \"org\"\ntime = \"at\"\nupdated",
            "tenant = \"organisation\"\ntime = \"at\"\nupdated",
        );
    let catalog = Catalog::parse(&wrong).expect("sound in itself");
    let faults = catalog.check(&fixture.sources).await.expect("SQLite");
    let faults = faults.map(|faults| faults.to_string());
    assert_eq!(
        faults.as_deref(),
        Some(
            "line 5: datasets.things.tenant: no such column: organisation\n\
             line 11: datasets.things.dimensions.i: no such column: missing_column"
        )
    );
}
