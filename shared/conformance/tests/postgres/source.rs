//! What is PostgreSQL's alone: its numerics, its collations, its connections. The rest is the suite's.

mod connections;
mod failures;
mod literals;
mod locks;
mod poolers;
mod properties;
mod replica;
mod tables;
mod tls;
mod types;
mod values;

use std::sync::Arc;
use std::time::Duration;

use waybill_config::DatabaseUrl;
use waybill_conformance::source::{self as suite, Backend};
use waybill_report::source::postgres::PostgresSource;
use waybill_report::source::{Source, SourceLimits, connect};
use waybill_test_services::postgres::{Cluster, Database};

const LIMITS: SourceLimits = SourceLimits {
    statement_timeout: Duration::from_secs(60),
    connections: 4,
};

fn source(url: String) -> Arc<dyn Source> {
    source_within(url, LIMITS)
}

fn source_within(url: String, limits: SourceLimits) -> Arc<dyn Source> {
    let url = DatabaseUrl::try_from(url).expect("a server's URL");
    connect(&url, limits).expect("a URL that is understood")
}

/// The table of the suite in a database of its own.
struct Things {
    database: Database<'static>,
}

const TABLE: &str = "CREATE TABLE things (
  org text, at timestamptz, s text, i bigint, f double precision, d numeric, b boolean, day date, u uuid, j json
)";

impl Things {
    fn new() -> Self {
        let database = Cluster::shared().database();
        database.psql(TABLE);
        Self { database }
    }
}

impl Backend for Things {
    fn execute(&self, sql: &str) {
        self.database.psql(sql);
    }

    fn source(&self) -> Arc<dyn Source> {
        source(self.database.url())
    }

    fn document(text: &str) -> String {
        format!("({text})::json")
    }

    const UNFIT: (&'static str, &'static str) = (
        "ALTER TABLE things ALTER i TYPE numeric;
         INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 1.5)",
        "i",
    );
}

#[tokio::test]
async fn postgres_does_what_every_source_must() {
    suite::run(async || Things::new()).await;
}

#[test]
fn a_source_does_not_show_its_password() {
    let url = DatabaseUrl::try_from("postgres://u:hunter2@db/app".to_owned()).expect("a URL");
    let source = PostgresSource::new(&url, LIMITS).expect("it is not opened");
    assert!(!format!("{source:?}").contains("hunter2"));
}
