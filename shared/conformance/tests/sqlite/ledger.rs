//! The suite on SQLite, and what only an embedded ledger does.

use tempfile::TempDir;
use waybill_conformance::keys;
use waybill_conformance::ledger::{self, Fixture, new_export, terms};
use waybill_ledger::Enqueued;
use waybill_ledger::database::Database;
use waybill_report::caller::Scope;

async fn open(dir: &TempDir) -> Database {
    Database::open_file(&dir.path().join("ledger.sqlite"))
        .await
        .expect("a database")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let root = TempDir::new().expect("a folder");
    ledger::run(async || {
        let dir = TempDir::new_in(root.path()).expect("a folder");
        let fixture = Fixture::of(open(&dir).await, open(&dir).await);
        // The root goes at the end, with everything in it.
        drop(dir.keep());
        fixture
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_keys_conform() {
    let dir = TempDir::new().expect("a folder");
    keys::run(open(&dir).await.keys.as_ref()).await;
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
