//! Tables that somebody has locked: what is read is what was there before or after, never nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use waybill_conformance::source::{Backend as _, CATALOG, file, plan_of, sources};
use waybill_report::catalog::Catalog;
use waybill_report::source::{SourceError, Sources};

use super::{Things, source};

const DEADLINE: Duration = Duration::from_secs(60);
const ROWS: usize = 100;

fn rows(from: usize) -> String {
    let to = from + ROWS - 1;
    format!(
        "INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series({from}, {to}) AS n"
    )
}

/// The suite's catalog with another relation for `things`.
fn on(relation: &str) -> String {
    CATALOG.replacen("table = \"things\"", relation, 1)
}

async fn lines(sources: &Sources, catalog: &str) -> Result<usize, SourceError> {
    let query = json!({ "dataset": "things", "dimensions": ["i"] });
    let file = file(sources, &plan_of(catalog, "a", query)).await?;
    Ok(file.lines().count() - 1)
}

/// Waits until somebody waits for a lock in this database.
async fn somebody_waits(things: &Things) {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let started = Instant::now();
    while things.database.psql(sql) == "0" {
        assert!(started.elapsed() < DEADLINE, "nobody waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_locked_is_read_as_it_is_once_the_lock_is_gone() {
    let changes = [
        (
            "table = \"things\"",
            format!("TRUNCATE things; {}", rows(1_000)),
        ),
        (
            "table = \"things\"",
            "ALTER TABLE things ALTER COLUMN i TYPE numeric".to_owned(),
        ),
        (
            "sql = \"SELECT t.* FROM seen AS t JOIN (SELECT 1 AS one) AS u ON u.one = 1\"",
            format!("TRUNCATE things; {}", rows(1_000)),
        ),
        (
            "sql = \"SELECT * FROM parts\"",
            format!("TRUNCATE things; {}", rows(1_000)),
        ),
    ];
    for (relation, change) in changes {
        let things = Things::new();
        // Alone, behind a view, and as a part of a table whose parts this role cannot read by name.
        let role = format!("reader_of_{}", things.database.name());
        things.execute(&format!(
            "{}; CREATE ROLE {role} LOGIN; GRANT SELECT ON things TO {role};",
            rows(1)
        ));
        if relation.contains("seen") {
            things.execute(&format!(
                "CREATE VIEW seen AS SELECT * FROM things;
                 GRANT SELECT ON seen TO {role}; REVOKE SELECT ON things FROM {role}"
            ));
        }
        if relation.contains("parts") {
            things.execute(&format!(
                "CREATE TABLE parts (LIKE things) PARTITION BY LIST (org);
                 ALTER TABLE parts ATTACH PARTITION things FOR VALUES IN ('a');
                 GRANT SELECT ON parts TO {role}; REVOKE SELECT ON things FROM {role}"
            ));
        }
        let sources = sources(source(things.database.url_of(&role)));
        let catalog = on(relation);
        assert_eq!(lines(&sources, &catalog).await.expect("rows"), ROWS);

        let mut writer = PgConnection::connect(&things.database.url())
            .await
            .expect("it");
        // A lock that is held for longer than a reading waits is nothing that this is about.
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < DEADLINE, "it is too slow here");
            let begun = format!("BEGIN; {change}");
            writer
                .execute(AssertSqlSafe(begun))
                .await
                .expect("a change");
            let (read, ()) = tokio::join!(lines(&sources, &catalog), async {
                somebody_waits(&things).await;
                writer.execute("COMMIT").await.expect("it is done");
            });
            match read {
                Ok(read) => {
                    assert_eq!(read, ROWS, "{relation}, {change}");
                    break;
                }
                Err(error) => assert!(matches!(error, SourceError::Unavailable(_)), "{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_does_not_come_is_an_outage_at_once_and_leaves_nothing() {
    let things = Things::new();
    things.execute(&rows(1));
    let sources = sources(source(things.database.url()));
    let mut writer = PgConnection::connect(&things.database.url())
        .await
        .expect("it");
    for relation in ["table = \"things\"", "sql = \"SELECT * FROM things\""] {
        let lock = "BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE";
        writer.execute(lock).await.expect("the lock");
        let error = lines(&sources, &on(relation))
            .await
            .expect_err("it is locked");
        assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
        assert!(error.may_pass());
        writer.execute("ROLLBACK").await.expect("free");
        assert_eq!(lines(&sources, &on(relation)).await.expect("rows"), ROWS);
    }
}

#[tokio::test]
async fn what_cannot_be_locked_is_read_as_well() {
    let things = Things::new();
    let role = format!("reader_of_{}", things.database.name());
    things.execute(&format!(
        "{}; CREATE MATERIALIZED VIEW frozen AS SELECT * FROM things;
         CREATE ROLE {role} LOGIN; GRANT SELECT ON frozen TO {role};
         GRANT SELECT (org, at, s, i, f, d, b, day, u, j) ON things TO {role}",
        rows(1)
    ));
    let sources = sources(source(things.database.url_of(&role)));
    for relation in [
        "table = \"frozen\"",
        "sql = \"SELECT * FROM frozen\"",
        "table = \"things\"",
        "sql = \"SELECT frozen.* FROM frozen JOIN things USING (i)\"",
    ] {
        let catalog = on(relation);
        for _ in 0..3 {
            assert_eq!(
                lines(&sources, &catalog).await.expect("rows"),
                ROWS,
                "{relation}"
            );
        }
        let catalog = Catalog::parse(&catalog).expect("sound");
        catalog.check(&sources).await.expect("an answer");
    }
}
