//! The suite on PostgreSQL, and what only a server does: to be shared, and to be away.

use std::time::{Duration, Instant};

use waybill_config::DatabaseUrl;
use waybill_conformance::keys;
use waybill_conformance::ledger::{self, Fixture, QueueTables, heard, new_export, terms};
use waybill_ledger::database::Database;
use waybill_ledger::keys::KeyStoreError;
use waybill_ledger::{Ledger, LedgerError};
use waybill_test_services::postgres::{self, Cluster, Setup};

/// How long anything may take. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(30);

fn url(url: String) -> DatabaseUrl {
    DatabaseUrl::try_from(url).expect("a URL")
}

async fn connect(at: &DatabaseUrl) -> Database {
    Database::connect(at).await.expect("a URL")
}

async fn migrated(cluster: &Cluster) -> DatabaseUrl {
    let at = url(cluster.database().url());
    Database::migrate(&at).await.expect("migrations");
    at
}

/// The queue's table in the ledger's database.
struct Jobs(postgres::Database<'static>);

impl QueueTables for Jobs {
    fn wake_ups(&self) -> u32 {
        let count = self.0.psql("SELECT count(*) FROM apalis.jobs");
        count.parse().expect("a number")
    }

    fn lose_wake_ups(&self) {
        self.0.psql("DELETE FROM apalis.jobs");
    }

    fn age_wake_ups(&self) {
        let done = "UPDATE apalis.jobs SET status = 'Done', done_at = to_timestamp(1)";
        self.0.psql(done);
    }

    fn break_down(&self) {
        self.0.psql("ALTER TABLE apalis.jobs RENAME TO gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_conforms() {
    ledger::run(async || {
        let database = Cluster::shared().database();
        let at = url(database.url());
        Database::migrate(&at).await.expect("migrations");
        Fixture::of(&connect(&at).await, &connect(&at).await, Jobs(database))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_keys_conform() {
    let database = Cluster::shared().database();
    let at = url(database.url());
    let store = connect(&at).await.keys;
    assert!(matches!(
        store.list().await,
        Err(KeyStoreError::SchemaOutdated)
    ));
    Database::migrate(&at).await.expect("migrations");
    keys::run(store.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_are_heard() {
    let at = migrated(Cluster::shared()).await;
    let (ours, theirs) = (connect(&at).await.ledger, connect(&at).await.ledger);
    let mut changes = ours.changes();
    heard(theirs.as_ref(), &mut changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_the_migrations_of_this_program_and_bears_newer_ones() {
    let database = Cluster::shared().database();
    let at = url(database.url());
    let ledger = connect(&at).await.ledger;
    let outdated = |outcome| matches!(outcome, Err(LedgerError::SchemaOutdated));
    assert!(outdated(ledger.check().await), "there are no tables");
    let enqueued = ledger.enqueue(new_export("a", 1), &terms()).await;
    assert!(outdated(enqueued.map(drop)));

    Database::migrate(&at).await.expect("migrations");
    ledger.check().await.expect("this program's migrations");
    database.psql(
        "INSERT INTO waybill.migrations SELECT 9999, 'newer', now(), true, checksum, 0
         FROM waybill.migrations LIMIT 1",
    );
    ledger.check().await.expect("newer migrations only add");
    let applied = Database::migrate(&at).await.expect("nothing to do");
    assert!(applied.is_empty(), "{applied:?}");
    for table in ["waybill.migrations", "apalis._sqlx_migrations"] {
        database.psql(&format!(
            "CREATE TABLE kept AS SELECT * FROM {table}; DELETE FROM {table}"
        ));
        assert!(outdated(ledger.check().await), "{table}");
        database.psql(&format!(
            "INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept"
        ));
        ledger.check().await.expect("as before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_survived() {
    let cluster = Setup::new().start();
    let at = migrated(&cluster).await;
    let ledger = connect(&at).await.ledger;
    let mut changes = ledger.changes();
    heard(ledger.as_ref(), &mut changes).await;

    cluster.stop();
    for _ in 0..3 {
        let asked = Instant::now();
        for outcome in [
            ledger.backlog().await.map(drop),
            ledger.enqueue(new_export("a", 1), &terms()).await.map(drop),
            ledger.check().await,
        ] {
            assert!(
                matches!(outcome, Err(LedgerError::Unavailable(_))),
                "{outcome:?}"
            );
        }
        assert!(asked.elapsed() < DEADLINE, "it does not hang");
    }

    cluster.start_again();
    works_again(ledger.as_ref()).await;
    heard(ledger.as_ref(), &mut changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_later_is_found() {
    let cluster = Setup::new().start();
    let at = migrated(&cluster).await;
    cluster.stop();
    let ledger = connect(&at).await.ledger;
    let mut changes = ledger.changes();
    let away = ledger.check().await;
    assert!(matches!(away, Err(LedgerError::Unavailable(_))), "{away:?}");
    cluster.start_again();
    works_again(ledger.as_ref()).await;
    heard(ledger.as_ref(), &mut changes).await;
}

async fn works_again(ledger: &dyn Ledger) {
    let end = Instant::now() + DEADLINE;
    while let Err(error) = ledger.check().await {
        assert!(Instant::now() < end, "{error}");
    }
}
