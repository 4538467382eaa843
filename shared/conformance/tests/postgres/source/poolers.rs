//! `PgBouncer` between: what a session was used for before says nothing about what it is used for next.

use serde_json::json;
use waybill_conformance::source::{self as suite, Backend, CATALOG, file, open, plan_of, sources};
use waybill_report::catalog::Catalog;
use waybill_report::source::Source;
use waybill_test_services::pgbouncer::{PgBouncer, PoolMode};
use waybill_test_services::postgres::Cluster;

use super::{Things, source};

/// The suite's table behind a pooler in transaction mode.
struct Pooled {
    things: Things,
    pooler: PgBouncer,
}

impl Pooled {
    fn new(mode: PoolMode) -> Self {
        Self {
            things: Things::new(),
            pooler: PgBouncer::start(Cluster::shared(), mode),
        }
    }
}

impl Backend for Pooled {
    fn execute(&self, sql: &str) {
        self.things.execute(sql);
    }

    fn source(&self) -> std::sync::Arc<dyn Source> {
        source(self.pooler.url(self.things.database.name()))
    }

    fn document(text: &str) -> String {
        Things::document(text)
    }

    const UNFIT: (&'static str, &'static str) = Things::UNFIT;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_behind_a_pooler_does_what_every_source_must() {
    suite::run(async || Pooled::new(PoolMode::Transaction)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_dropped_behind_a_pooler_ends_on_the_server() {
    let pooled = Pooled::new(PoolMode::Transaction);
    pooled.execute("INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series(1, 500000) AS n");
    let sources = sources(pooled.source());
    let plan = plan_of(
        CATALOG,
        "a",
        json!({ "dataset": "things", "dimensions": ["i"] }),
    );
    let mut snapshot = open(&sources, &plan).await.expect("a snapshot");
    snapshot.next().await.expect("rows").expect("a batch");
    drop(snapshot);
    let running = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let started = std::time::Instant::now();
    while pooled.things.database.psql(running) != "0" {
        assert!(started.elapsed().as_secs() < 60, "it runs on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let catalog = Catalog::parse(CATALOG).expect("sound");
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None);
    file(&sources, &plan).await.expect("the next one is whole");
}
