//! The suite on SQLite, and what only an embedded ledger does.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;
use waybill_conformance::keys;
use waybill_conformance::ledger::{self, Fixture, QueueTables, new_export, terms};
use waybill_ledger::Enqueued;
use waybill_ledger::database::Database;
use waybill_report::caller::Scope;

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("ledger.sqlite")
}

async fn open(dir: &TempDir) -> Database {
    let database = Database::open_file(&path(dir)).await;
    database.expect("a database")
}

/// The queue's table in the ledger's file.
struct Jobs(PathBuf);

impl Jobs {
    fn execute(&self, sql: &str) {
        let file = Connection::open(&self.0).expect("the file");
        file.execute_batch(sql).expect("valid SQL");
    }
}

impl QueueTables for Jobs {
    fn wake_ups(&self) -> u32 {
        let file = Connection::open(&self.0).expect("the file");
        file.query_row("SELECT count(*) FROM Jobs", [], |row| row.get(0))
            .expect("a number")
    }

    fn lose_wake_ups(&self) {
        self.execute("DELETE FROM Jobs");
    }

    fn age_wake_ups(&self) {
        self.execute("UPDATE Jobs SET status = 'Done', done_at = 1");
    }

    fn break_down(&self) {
        self.execute("ALTER TABLE Jobs RENAME TO gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    let root = TempDir::new().expect("a folder");
    ledger::run(async || {
        let dir = TempDir::new_in(root.path()).expect("a folder");
        let queue = Jobs(path(&dir));
        let fixture = Fixture::of(&open(&dir).await, &open(&dir).await, queue);
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
