//! The suite on SQLite, and what only an embedded ledger does.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::encode::Format;
use crate::ledger::conformance;

async fn open(dir: &TempDir) -> SqliteLedger {
    SqliteLedger::open(&dir.path().join("ledger.sqlite"))
        .await
        .expect("a ledger")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let root = TempDir::new().expect("a folder");
    conformance::run(async || {
        let dir = TempDir::new_in(root.path()).expect("a folder");
        let ledger = open(&dir).await;
        // The root goes at the end, with everything in it.
        drop(dir.keep());
        ledger
    })
    .await;
}

fn new_export() -> NewExport {
    let query = json!({
        "dataset": "sessions",
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    });
    NewExport {
        org: OrgId::new("a"),
        query: serde_json::from_value(query).expect("a query"),
        format: Format::Csv,
        filename: "x.csv".to_owned(),
        max_attempts: 5,
    }
}

#[tokio::test]
async fn it_survives_being_closed() {
    let dir = TempDir::new().expect("a folder");
    let ledger = open(&dir).await;
    let accepted = ledger.enqueue(new_export(), 10).await.expect("accepted");
    let Enqueued::Accepted(export) = accepted else {
        panic!("the queue is empty");
    };
    drop(ledger);
    let ledger = open(&dir).await;
    let found = ledger
        .get(&export.org, export.id)
        .await
        .expect("the ledger");
    assert_eq!(found.map(|found| found.id), Some(export.id));
}

#[tokio::test]
async fn every_waiting_export_has_a_wake_up_again() {
    let dir = TempDir::new().expect("a folder");
    let ledger = open(&dir).await;
    for _ in 0..3 {
        ledger.enqueue(new_export(), 10).await.expect("accepted");
    }
    assert_eq!(
        ledger
            .wake_waiting(Duration::ZERO)
            .await
            .expect("the ledger"),
        0
    );
    sqlx::query("DELETE FROM Jobs")
        .execute(ledger.queue_pool())
        .await
        .expect("deliveries are lost");
    assert_eq!(
        ledger
            .wake_waiting(Duration::ZERO)
            .await
            .expect("the ledger"),
        3
    );
    assert_eq!(
        ledger
            .wake_waiting(Duration::ZERO)
            .await
            .expect("the ledger"),
        0
    );
}
