//! The table against a real server, and against the SQLite file.

use rusqlite::Connection;
use waybill_test_services::postgres::{Cluster, Database};

use super::*;
use crate::sqlite;

/// A row as text, in PostgreSQL.
const ROWS: &str = r#"
    SELECT concat_ws('|', session_id, org_id, status, agent, model,
               to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               coalesce(to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'NULL'),
               coalesce(duration_ms::text, 'NULL'), input_tokens, output_tokens, cost, coalesce(title, 'NULL'),
               to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM sessions ORDER BY session_id"#;

/// The same in SQLite.
const SQLITE_ROWS: &str = "
    SELECT concat_ws('|', session_id, org_id, status, agent, model, started_at, coalesce(finished_at, 'NULL'),
               coalesce(duration_ms, 'NULL'), input_tokens, output_tokens,
               printf('%d.%06d', cost_micros / 1000000, cost_micros % 1000000), coalesce(title, 'NULL'),
               updated_at)
    FROM sessions ORDER BY session_id";

fn url(database: &Database<'_>) -> DatabaseUrl {
    DatabaseUrl::try_from(database.url()).expect("a URL")
}

async fn rows(database: &Database<'_>) -> Vec<String> {
    let connection = PgConnection::connect(&database.url()).await;
    let mut connection = connection.expect("a connection");
    let rows = sqlx::query_scalar(ROWS).fetch_all(&mut connection).await;
    rows.expect("rows")
}

#[tokio::test]
async fn it_holds_the_rows_of_the_sqlite_file() {
    let database = Cluster::shared().database();
    write(&url(&database), 500).await.expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("demo.sqlite");
    sqlite::generate(&file, 500).expect("written");
    let connection = Connection::open(&file).expect("a file");
    let mut statement = connection.prepare(SQLITE_ROWS).expect("a statement");
    let expected = statement.query_map([], |row| row.get(0)).expect("rows");
    let expected: Vec<String> = expected.map(|row| row.expect("a row")).collect();
    assert_eq!(expected.len(), 500 + 500 / 8 + 500 / 16);
    assert_eq!(rows(&database).await, expected);
    let indexes = database.psql("SELECT count(*) FROM pg_indexes WHERE tablename = 'sessions'");
    assert_eq!(indexes, "2");
}

#[tokio::test]
async fn it_takes_the_place_of_an_earlier_one_and_of_nothing_else() {
    let database = Cluster::shared().database();
    write(&url(&database), 20).await.expect("written");
    write(&url(&database), 10).await.expect("written again");
    assert_eq!(rows(&database).await.len(), 10 + 1 + 1);
    assert_eq!(
        database.psql("SELECT * FROM waybill_demo"),
        format!("{VERSION}|10")
    );

    let theirs = Cluster::shared().database();
    theirs.psql("CREATE TABLE sessions AS SELECT 7 AS precious");
    let refused = write(&url(&theirs), 10).await.expect_err("it is theirs");
    assert!(refused.to_string().contains("not the demo's"), "{refused}");
    assert_eq!(theirs.psql("SELECT precious FROM sessions"), "7");
}
