//! Statements against a real SQLite: what is text to a client stays text.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use super::limits::is_column;
use super::*;
use crate::caller::{Caller, OrgId, Role};
use crate::catalog::Catalog;
use crate::query::ReportRequest;

const CATALOG: &str = r#"
[datasets.notes]
table = "notes"
grain = "row"
tenant = "org"
time = "at"

[datasets.notes.dimensions]
body = { sql = "body", type = "string" }
"#;

fn plan(org: &str, value: &str) -> ReportPlan {
    let body = json!({ "query": {
        "dataset": "notes", "dimensions": ["body"],
        "time_range": { "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z" },
        "filters": [
            { "field": "body", "op": "eq", "value": value },
            { "field": "body", "op": "in", "value": [value, "other"] },
        ],
        "order_by": [{ "dimension": "body" }],
    } });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new(org),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    catalog.plan(&request, &caller).expect("a valid query")
}

/// A table with one row that is asked for, and one of another organisation.
fn table(org: &str, body: &str) -> Connection {
    let connection = Connection::open_in_memory().expect("SQLite");
    crate::source::sqlite::functions::register(&connection).expect("functions");
    connection
        .execute_batch("CREATE TABLE notes (org TEXT, at TEXT, body TEXT)")
        .expect("a table");
    for org in [org, "somebody else"] {
        connection
            .execute(
                "INSERT INTO notes VALUES (?1, '2026-01-05', ?2)",
                [org, body],
            )
            .expect("a row");
    }
    connection
}

fn read(connection: &Connection, statement: &Statement) -> Vec<String> {
    let mut prepared = connection.prepare(statement.report()).expect("valid SQL");
    let rows = prepared.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

proptest! {
    #[test]
    fn hostile_text_finds_itself_and_nothing_else(
        org in "[a-z';\"\\\\-]{1,12}",
        body in "\\PC{0,40}|['\"\\\\;%_-]{0,20}|(--|/\\*|'; DROP TABLE notes; --){1,3}",
    ) {
        let connection = table(&org, &body);
        let statement = Statement::new(&plan(&org, &body), 10, None);
        prop_assert_eq!(read(&connection, &statement), [body]);
    }
}

#[test]
fn limits_meet() {
    let plan = plan("org", "x");
    let text = |most| Statement::new(&plan, most, None).report().to_owned();
    assert!(text(7).ends_with("LIMIT 7"));
    assert!(
        text(1_000).ends_with("LIMIT 100"),
        "the query's own limit is lower"
    );
}

#[test]
fn what_is_computed_is_no_column() {
    let limits = SizeLimits::of_export(8 << 20);
    assert_eq!(within_limit(0, "upper(s)", limits), "upper(s)");
}

#[test]
fn a_column_is_a_name_and_nothing_else() {
    for name in ["body", "_b0", "\"group\"", " body "] {
        assert!(is_column(name), "{name}");
    }
    for other in [
        "",
        "1",
        "a b",
        "a.b",
        "f(a)",
        "\"\"",
        "\"a\" || \"b\"",
        "'text'",
        "a--",
    ] {
        assert!(!is_column(other), "{other}");
    }
}
