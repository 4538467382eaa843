//! The suite on SQLite, and what only an embedded ledger does.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;
use waybill_report::caller::Scope;

use super::statements;
use crate::Enqueued;
use crate::conformance::{self, Fixture, new_export, terms};
use crate::database::Database;

async fn open(dir: &TempDir) -> Database {
    Database::open_file(&dir.path().join("ledger.sqlite"))
        .await
        .expect("a database")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let root = TempDir::new().expect("a folder");
    conformance::run(async || {
        let dir = TempDir::new_in(root.path()).expect("a folder");
        let fixture = Fixture::of(open(&dir).await, open(&dir).await);
        // The root goes at the end, with everything in it.
        drop(dir.keep());
        fixture
    })
    .await;
}

#[tokio::test]
async fn it_survives_being_closed() {
    let dir = TempDir::new().expect("a folder");
    let database = open(&dir).await;
    let accepted = database.ledger.enqueue(new_export("a", 5), &terms()).await;
    let Enqueued::Accepted(export) = accepted.expect("the ledger") else {
        panic!("the queue is empty");
    };
    drop(database);
    let scope = Scope {
        org: export.org,
        made_by: None,
    };
    let found = open(&dir).await.ledger.get(&scope, export.id).await;
    let found = found.expect("the ledger");
    assert_eq!(found.map(|found| found.id), Some(export.id));
}

#[tokio::test]
async fn a_claim_finds_its_export_by_the_index_of_turns() {
    let dir = TempDir::new().expect("a folder");
    open(&dir).await;
    let file = SqliteConnectOptions::new().filename(dir.path().join("ledger.sqlite"));
    let mut connection = file.connect().await.expect("the file");
    let explain = format!("EXPLAIN QUERY PLAN {}", statements::CLAIM_NEXT);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(explain))
        .bind(0)
        .bind(0)
        .bind(true)
        .bind("[]")
        .fetch_all(&mut connection)
        .await
        .expect("a plan");
    let steps: Vec<&str> = plan.iter().map(|step| step.3.as_str()).collect();
    let by_turn = steps
        .iter()
        .filter(|step| step.contains("exports_by_turn (large=?)"));
    assert_eq!(by_turn.count(), 2, "{steps:#?}");
    // The list of datasets is a parameter.
    let scans = steps.iter().any(|step| {
        (step.starts_with("SCAN") && !step.contains("json_each")) || step.contains("B-TREE")
    });
    assert!(!scans, "{steps:#?}");
}
