//! The file itself: replaced by another, on a disk that cannot be written, and what its columns hold.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;
use waybill_config::DatabaseUrl;
use waybill_report::column::ColumnKind;
use waybill_report::source::sqlite::statement::Statement;
use waybill_report::source::statement::TypedUse;
use waybill_report::source::{SourceLimits, connect};

use super::*;

fn numbers() -> Value {
    json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }] })
}

#[tokio::test]
async fn a_file_that_was_replaced_is_read_anew() {
    let (things, next) = (Things::new(), Things::new());
    for (things, i) in [(&things, 1), (&next, 2)] {
        things.execute(&format!(
            "PRAGMA journal_mode = DELETE; INSERT INTO things (org, at, i) VALUES ('a', '2026-05-01', {i})"
        ));
    }
    let source = Arc::new(SqliteSource::new(&things.path));
    let sources = sources(source.clone());
    let plan = plan_of(CATALOG, "a", numbers());
    assert_eq!(file(&sources, &plan).await.expect("a report"), "i\n1\n");
    // A report that has begun is of the file that it has begun with.
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    fs::rename(&next.path, &things.path).expect("a rename");
    assert_eq!(file(&sources, &plan).await.expect("a report"), "i\n2\n");
    source.check().await.expect("the new file");
    let mut snapshot = snapshot;
    let batch = snapshot.next().await.expect("a batch").expect("of rows");
    assert_eq!(batch.num_rows(), 1);
    drop(snapshot);
    assert_eq!(file(&sources, &plan).await.expect("a report"), "i\n2\n");
    fs::remove_file(&things.path).expect("a file");
    let error = file(&sources, &plan).await.expect_err("no file");
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
}

/// A file in WAL mode beside which no shared memory can be made, as in a folder that cannot be written to.
fn unwritable() -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("a file? 100%#.db");
    let writer = Connection::open(&path).expect("the file");
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE things (org, at, s, i, f, d, b, day, u, j);
             INSERT INTO things (org, at, i) VALUES ('a', '2026-05-01', 1)",
        )
        .expect("valid SQL");
    drop(writer);
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    symlink("nowhere", beside("-shm")).expect("a link");
    (dir, path)
}

fn at(url: String) -> Arc<dyn Source> {
    let limits = SourceLimits {
        statement_timeout: Duration::ZERO,
        connections: 1,
    };
    let url = DatabaseUrl::try_from(url).expect("a URL");
    connect(&url, limits).expect("a source")
}

#[tokio::test]
async fn a_file_in_wal_mode_that_cannot_be_opened_says_what_to_do() {
    let (_dir, path) = unwritable();
    let source: Arc<dyn Source> = Arc::new(SqliteSource::new(&path));
    let plan = plan_of(CATALOG, "a", numbers());
    for error in [
        file(&sources(Arc::clone(&source)), &plan)
            .await
            .expect_err("no shared memory"),
        source.check().await.expect_err("no shared memory"),
    ] {
        let text = error.to_string();
        assert!(matches!(error, SourceError::Unavailable(_)), "{text}");
        assert!(
            text.contains("WAL mode") && text.contains("?immutable=1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_file_that_nothing_writes_to_needs_nothing_beside_it() {
    let (dir, path) = unwritable();
    let source: Arc<dyn Source> = Arc::new(SqliteSource::immutable(&path));
    let plan = plan_of(CATALOG, "a", numbers());
    assert_eq!(
        file(&sources(source), &plan).await.expect("a report"),
        "i\n1\n"
    );
    let plain = dir.path().join("plain.db");
    fs::copy(&path, &plain).expect("a copy");
    symlink("nowhere", dir.path().join("plain.db-shm")).expect("a link");
    let source = at(format!("sqlite:{}?mode=ro&immutable=1", plain.display()));
    assert_eq!(
        file(&sources(source), &plan).await.expect("a report"),
        "i\n1\n"
    );
}

#[tokio::test]
async fn a_number_in_a_string_column_is_its_text() {
    for column in ["s", "s TEXT", "s INTEGER", "s VARCHAR(9)", "s ANY"] {
        let things = Things::new();
        things.execute(&format!(
            "DROP TABLE things; CREATE TABLE things (org, at, {column}, i, f, d, b, day, u, j);
             INSERT INTO things (org, at, i, s, j) VALUES
                ('a', '2026-05-01', 1, 7, '{{\"k\": 7}}'), ('a', '2026-05-01', 2, '7', '{{\"k\": \"7\"}}'),
                ('a', '2026-05-01', 3, 'x', '{{\"k\": 1.5}}'), ('a', '2026-05-01', 4, 10, '{{}}')"
        ));
        for sql in ["s", "json_extract(j, '$.k')"] {
            let catalog = CATALOG.replace("s = { sql = \"s\"", &format!("s = {{ sql = \"{sql}\""));
            let plan = |query| plan_of(&catalog, "a", query);
            let sources = sources(things.source());
            let (third, fourth) = match sql {
                "s" => ("x", "10"),
                _ => ("1.5", ""),
            };
            let groups = json!({ "dataset": "groups", "dimensions": ["s"], "measures": ["n"], "order_by": [{ "dimension": "s" }] });
            let mut expected: Vec<String> = vec![
                "7,2".to_owned(),
                format!("{third},1"),
                format!("{fourth},1"),
            ];
            expected.sort_by_key(|row| (row.starts_with(','), row.clone()));
            let csv = file(&sources, &plan(groups)).await.expect("a report");
            assert_eq!(
                csv,
                format!("s,n\n{}\n", expected.join("\n")),
                "{column}: {sql}"
            );
            for (op, value, found) in [
                ("eq", json!("7"), "i\n1\n2\n".to_owned()),
                ("in", json!(["7", third]), "i\n1\n2\n3\n".to_owned()),
                (
                    "neq",
                    json!("7"),
                    if sql == "s" { "i\n3\n4\n" } else { "i\n3\n" }.to_owned(),
                ),
                (
                    "gte",
                    json!("7"),
                    if sql == "s" {
                        "i\n1\n2\n3\n"
                    } else {
                        "i\n1\n2\n"
                    }
                    .to_owned(),
                ),
            ] {
                let mut query = numbers();
                query["filters"] = json!([{ "field": "s", "op": op, "value": value }]);
                let csv = file(&sources, &plan(query)).await;
                assert_eq!(
                    csv.expect("a report"),
                    found,
                    "{column}: {sql} {op} {value}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_column_of_texts_may_be_declared_anything() {
    let things = Things::new();
    things.execute(
        "DROP TABLE things;
         CREATE TABLE things (org TEXT, at TEXT, s TEXT, i TEXT, f TEXT, d TEXT, b TEXT, day TEXT, u TEXT, j TEXT)",
    );
    let catalog = waybill_report::catalog::Catalog::parse(CATALOG).expect("the test's catalog");
    let findings = catalog.check(&sources(things.source())).await;
    assert_eq!(findings.expect("an answer").faults, None);
}

/// A column of texts is compared as it is, so that its index serves.
#[tokio::test]
async fn an_index_serves_a_column_of_texts() {
    let things = Things::new();
    things.execute("CREATE TABLE notes (org TEXT, at TEXT, s TEXT, i INTEGER); CREATE INDEX by_text ON notes (org, s)");
    let catalog = CATALOG.replacen("table = \"things\"", "table = \"notes\"", 1);
    let mut query = numbers();
    query["filters"] = json!([{ "field": "s", "op": "eq", "value": "x" }]);
    let plan = plan_of(&catalog, "a", query);
    let source = SqliteSource::new(&things.path);
    let expressions: Vec<TypedUse<'_>> = vec![("s", ColumnKind::Dimension)];
    let types = source
        .stored_types(&plan.dataset().relation, &expressions)
        .await;
    let plan = plan.with_stored_types(types.expect("an answer"));
    let statement = Statement::new(&plan, 10, None);
    assert!(
        statement.report().contains("(s) COLLATE BINARY = 'x'"),
        "{}",
        statement.report()
    );
    assert!(
        !statement.report().contains("waybill_text"),
        "{}",
        statement.report()
    );
}
