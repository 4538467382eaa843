//! The steps that SQLite takes for a statement, and that it takes none for a report that nobody wants.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::caller::{Caller, OrgId, Role};
use crate::catalog::Catalog;
use crate::query::{ReportPlan, ReportRequest};
use crate::size::SizeLimits;
use crate::source::Sources;

const THINGS: &str = r#"
[datasets.things]
table = "things"
grain = "row"
tenant = "org"
time = "at"

[datasets.things.dimensions]
i = { sql = "i", type = "integer" }
"#;

/// Rows without end, none of which is found.
const ENDLESS: &str = r#"
[datasets.things]
sql = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT i, 'a' AS org, '2026-05-01T00:00:00Z' AS at FROM n WHERE i < 0"""
grain = "row"
tenant = "org"
time = "at"

[datasets.things.dimensions]
i = { sql = "i", type = "integer" }
"#;

/// A plan of `things` in the order of `i`, or in none.
fn plan(catalog: &str, is_ordered: bool) -> ReportPlan {
    let order = if is_ordered {
        json!([{ "dimension": "i" }])
    } else {
        json!([])
    };
    let body = json!({ "query": {
        "dataset": "things", "dimensions": ["i"], "order_by": order, "limit": null,
        "time_range": { "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" },
    } });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new("a"),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(catalog).expect("the test's catalog");
    catalog.plan(&request, &caller).expect("a valid query")
}

/// A file with the table `things`, in a folder that goes with it.
fn things() -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("things.sqlite");
    let table = "CREATE TABLE things (org, at, i);
        CREATE INDEX things_by_time ON things (org, at)";
    let writer = Connection::open(&path).expect("the file");
    writer.execute_batch(table).expect("valid SQL");
    (dir, path)
}

/// The steps that SQLite takes for a statement on `things`.
fn steps(sql: &str) -> Vec<String> {
    let (_dir, path) = things();
    let connection = DatabaseFile::new(path, false).open().expect("the file");
    let mut plan = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("a statement");
    plan.raw_query()
        .mapped(|row| row.get("detail"))
        .collect::<Result<_, _>>()
        .expect("the plan")
}

/// `MULTI-INDEX OR` would remember every row that it has found.
#[test]
fn an_index_serves_the_range_in_one_search() {
    let statement = Statement::new(&plan(THINGS, true), 10, None);
    let steps = steps(statement.report());
    let search = "SEARCH things USING INDEX things_by_time (org=? AND at>? AND at<?)";
    assert!(steps.iter().any(|step| step == search), "{steps:?}");
}

#[test]
fn a_count_reads_an_index_alone() {
    let statement = Statement::new(&plan(THINGS, true), 10, None);
    let steps = steps(statement.estimate().expect("a statement"));
    let search = "SEARCH things USING COVERING INDEX things_by_time (org=? AND at>? AND at<?)";
    assert!(steps.iter().any(|step| step == search), "{steps:?}");
    assert!(
        !steps.iter().any(|step| step.starts_with("MULTI")),
        "{steps:?}"
    );
}

#[test]
fn an_index_serves_the_range_in_every_form_of_times() {
    for form in ["rfc3339", "epoch_s", "epoch_ms", "julian"] {
        let time = format!("time = {{ sql = \"at\", form = \"{form}\" }}");
        let catalog = THINGS.replace("time = \"at\"", &time);
        let statement = Statement::new(&plan(&catalog, true), 10, None);
        let check = statement.time_check();
        for sql in [statement.report(), &check.seek] {
            let steps = steps(sql);
            let is_search = |step: &String| {
                step.starts_with("SEARCH things USING") && step.contains("(org=? AND at>?")
            };
            assert!(steps.iter().any(is_search), "{form}: {steps:?}");
        }
    }
}

/// An interrupt is for the statement that runs; the one that is about to begin has to hear of it, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_query_whose_snapshot_is_dropped_before_it_begins_ends() {
    let (_dir, path) = things();
    let source = Arc::new(SqliteSource::new(path));
    let idle = Arc::clone(&source.idle);
    let mut sources = Sources::default();
    sources.add("default", source);
    let plan = plan(ENDLESS, false);
    let sizes = SizeLimits::of_export(1 << 20);
    for _ in 0..200 {
        let snapshot = sources.open(&plan, 1_000_000, sizes, Duration::ZERO).await;
        drop(snapshot.expect("a snapshot"));
    }
    // Every reader that is left holds the idle connections, too.
    let end = Instant::now() + Duration::from_secs(30);
    while Arc::strong_count(&idle) > 2 {
        assert!(Instant::now() < end, "a query goes on that nobody wants");
        tokio::task::yield_now().await;
    }
}
