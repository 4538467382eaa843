//! The steps that SQLite takes for a claim.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;
use waybill_report::spec::SPEC_VERSION;

use super::work::CLAIM_NEXT;
use crate::database::Database;
use crate::sql::statement::rendered;

#[tokio::test]
async fn a_claim_finds_its_export_by_the_index_of_turns() {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("ledger.sqlite");
    Database::open_file(&path).await.expect("a database");
    let file = SqliteConnectOptions::new().filename(path);
    let mut connection = file.connect().await.expect("the file");
    let explain = format!("EXPLAIN QUERY PLAN {}", rendered!(SQLITE, CLAIM_NEXT));
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(explain))
        .bind(0)
        .bind(true)
        .bind("[]")
        .bind(SPEC_VERSION)
        .bind(0)
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
