use std::future::ready;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::*;
use crate::caller::{Caller, OrgId, Role};
use crate::catalog::Catalog;
use crate::encode::Format;
use crate::query::ReportRequest;
use crate::source::sqlite::SqliteSource;

const CATALOG: &str = r#"
[datasets.things]
table = "things"
grain = "row"
shared = true
time = "at"
updated = "at"

[datasets.things.dimensions]
i = { sql = "i", type = "integer" }
s = { sql = "s", type = "string" }
"#;

const EXPORT: PipeLimits = limits(RowLimit::FailAfter(1_000_000));

const fn limits(rows: RowLimit) -> PipeLimits {
    PipeLimits {
        rows,
        sizes: SizeLimits::of_export(8 << 20),
        freshness_budget: Duration::from_secs(5),
    }
}

/// A file of so many things.
struct Things {
    file: NamedTempFile,
    sources: Sources,
}

impl Things {
    fn new(rows: u64) -> Self {
        let file = NamedTempFile::new().expect("a file");
        let connection = Connection::open(file.path()).expect("a database");
        connection
            .execute_batch(&format!(
                "CREATE TABLE things (i INTEGER, at TEXT, s TEXT);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO things SELECT i, '2026-05-01T00:00:00Z', 'thing' FROM n"
            ))
            .expect("a table");
        let mut sources = Sources::default();
        sources.add("default", Arc::new(SqliteSource::new(file.path())));
        Self { file, sources }
    }

    async fn pour(&self, plan: &ReportPlan, limits: PipeLimits) -> (Outcome, Gauge) {
        let mut gauge = Gauge::default();
        let pipe = Pipe::open(&self.sources, plan, limits)
            .await
            .expect("a snapshot");
        (pipe.run(&mut gauge).await, gauge)
    }
}

type Outcome = Result<Summary, PipeError<Full>>;

fn plan(format: Format, limit: Option<u64>, column: &str) -> ReportPlan {
    let body = json!({ "format": format, "query": {
        "dataset": "things", "dimensions": ["i", column], "limit": limit,
        "time_range": { "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" },
        "order_by": [{ "dimension": "i" }],
    } });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new("anyone"),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    catalog.plan(&request, &caller).expect("a valid query")
}

/// A tap that counts what it is told.
#[derive(Default)]
struct Gauge {
    content: Vec<u8>,
    /// The file before each write.
    writes: Vec<usize>,
    large: Vec<usize>,
    rows: Vec<u64>,
    room: Option<usize>,
}

#[derive(Debug, thiserror::Error)]
#[error("no room")]
struct Full;

impl Tap for Gauge {
    type Error = Full;

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.content
    }

    fn write(&mut self) -> impl Future<Output = Result<(), Full>> + Send {
        self.writes.push(self.content.len());
        ready(match self.room {
            Some(room) if self.content.len() > room => Err(Full),
            _ => Ok(()),
        })
    }

    fn append(&mut self, row: &[u8]) -> impl Future<Output = Result<(), Full>> + Send {
        self.large.push(row.len());
        self.content.extend_from_slice(row);
        ready(Ok(()))
    }

    fn progress(&mut self, rows: u64) {
        self.rows.push(rows);
    }
}

#[tokio::test]
async fn every_row_is_written_once_and_told_of() {
    let things = Things::new(10_000);
    let (summary, gauge) = things.pour(&plan(Format::Csv, None, "s"), EXPORT).await;
    let summary = summary.expect("a file");
    let expected: String = (1..=10_000).map(|i| format!("{i},thing\n")).collect();
    assert_eq!(gauge.content, format!("i,s\n{expected}").into_bytes());
    assert_eq!((summary.row_count, summary.limit_reached), (10_000, false));
    assert!(
        gauge.rows.is_sorted() && gauge.rows.len() > 1,
        "{:?}",
        gauge.rows
    );
    assert_eq!(gauge.rows.last(), Some(&10_000));
    let longest = gauge.writes.windows(2).map(|ends| ends[1] - ends[0]).max();
    assert!(
        longest < Some(64 * 1024),
        "a few rows at a time: {longest:?}"
    );
    assert_eq!(gauge.writes.last(), Some(&gauge.content.len()));
    assert!(gauge.large.is_empty());
}

#[tokio::test]
async fn what_the_file_says_of_itself_is_what_the_summary_says() {
    let things = Things::new(3);
    let (summary, gauge) = things.pour(&plan(Format::Json, Some(3), "s"), EXPORT).await;
    let summary = summary.expect("a file");
    let document: Value = serde_json::from_slice(&gauge.content).expect("JSON");
    let as_of = summary
        .as_of
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let told: DateTime<Utc> =
        serde_json::from_value(document["as_of"].clone()).expect("an instant");
    assert_eq!(
        told.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true),
        as_of.replace('Z', "000Z")
    );
    assert_eq!(told, summary.as_of);
    assert_eq!(document["limit_reached"], json!(summary.limit_reached));
    assert!(summary.limit_reached);
    assert_eq!(
        document["freshness_lag_ms"].as_i64(),
        summary.freshness_lag_ms
    );
    let newest = DateTime::parse_from_rfc3339("2026-05-01T00:00:00Z").expect("an instant");
    assert_eq!(summary.source_updated_at, Some(newest.to_utc()));
}

#[tokio::test]
async fn a_result_is_cut_or_fails_where_the_limit_is() {
    let things = Things::new(10);
    for (rows, limit, count, limit_reached) in [
        (RowLimit::CutAt(10), None, 10, true),
        (RowLimit::CutAt(4), None, 4, true),
        (RowLimit::CutAt(4), Some(3), 3, true),
        (RowLimit::CutAt(11), None, 10, false),
        (RowLimit::CutAt(11), Some(100), 10, false),
        (RowLimit::FailAfter(10), None, 10, false),
        (RowLimit::FailAfter(4), Some(4), 4, true),
        (RowLimit::FailAfter(0), Some(0), 0, true),
    ] {
        let (summary, _) = things
            .pour(&plan(Format::Csv, limit, "s"), limits(rows))
            .await;
        let summary = summary.unwrap_or_else(|error| panic!("{rows:?}: {error}"));
        assert_eq!(
            (summary.row_count, summary.limit_reached),
            (count, limit_reached),
            "{rows:?} of {limit:?}"
        );
    }
    let (outcome, _) = things
        .pour(
            &plan(Format::Csv, None, "s"),
            limits(RowLimit::FailAfter(9)),
        )
        .await;
    assert!(
        matches!(outcome, Err(PipeError::TooManyRows(9))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_tap_that_takes_no_more_ends_it() {
    let things = Things::new(10_000);
    let plan = plan(Format::Csv, None, "s");
    let mut gauge = Gauge {
        room: Some(1_000),
        ..Gauge::default()
    };
    let pipe = Pipe::open(&things.sources, &plan, EXPORT)
        .await
        .expect("a snapshot");
    let outcome = pipe.run(&mut gauge).await;
    assert!(matches!(outcome, Err(PipeError::Tap(Full))), "{outcome:?}");
    assert_eq!(gauge.writes.len(), 1);
}

#[tokio::test]
async fn a_large_row_goes_in_one_piece() {
    let things = Things::new(3);
    let connection = Connection::open(things.file.path()).expect("the database");
    let large = "x".repeat(3 << 20);
    connection
        .execute("UPDATE things SET s = ?1 WHERE i = 1", [&large])
        .expect("a large cell");
    let (summary, gauge) = things.pour(&plan(Format::Csv, None, "s"), EXPORT).await;
    assert_eq!(summary.expect("a file").row_count, 3);
    let expected = format!("i,s\n1,{large}\n2,thing\n3,thing\n");
    assert!(
        gauge.content == expected.into_bytes(),
        "the bytes are the same"
    );
    assert_eq!(gauge.large, [large.len() + 3]);
}
