//! Any query on a server.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use sqlx::query::Query;
use waybill_conformance::queries::SampleRow;
use waybill_conformance::source::properties::{self, SampleTable};
use waybill_report::query::Literal;
use waybill_report::source::Source;
use waybill_test_services::postgres::{Cluster, Database};

use super::source;

/// A table that is emptied for every case.
struct Table {
    database: Database<'static>,
    owner: PgPool,
}

impl Table {
    async fn new() -> Self {
        let database = Cluster::shared().database();
        database.psql(
            "CREATE TABLE belongings (
               owner text, id bigint, at timestamptz, s text, i bigint, f double precision, d numeric,
               b boolean, day date, u uuid, j json)",
        );
        let owner = PgPoolOptions::new()
            .max_connections(1)
            .connect(&database.url())
            .await
            .expect("the server");
        Self { database, owner }
    }
}

/// Every value as its text, which is written here and not by the statements under test.
const INSERT: &str = "INSERT INTO belongings VALUES (
  $1, $2::text::bigint, $3::text::timestamptz, $4, $5::text::bigint, $6::text::double precision,
  $7::text::numeric, $8::text::boolean, $9::text::date, $10::text::uuid, $11::text::json)";

impl SampleTable for Table {
    async fn fill(&self, rows: &[SampleRow]) {
        let mut change = self.owner.begin().await.expect("a transaction");
        sqlx::query("TRUNCATE belongings")
            .execute(&mut *change)
            .await
            .expect("an empty table");
        for SampleRow { owner, cells } in rows {
            let insert = sqlx::query(INSERT).bind(owner);
            let texts = cells.iter().map(|cell| cell.as_ref().map(text));
            let insert = texts.fold(insert, Query::bind);
            insert.execute(&mut *change).await.expect("a row");
        }
        change.commit().await.expect("the rows");
    }

    fn source(&self) -> Arc<dyn Source> {
        source(self.database.url())
    }
}

fn text(value: &Literal) -> String {
    match value {
        Literal::String(text) | Literal::Decimal(text) => text.clone(),
        Literal::Integer(number) => number.to_string(),
        Literal::Float(number) => number.to_string(),
        Literal::Boolean(truth) => truth.to_string(),
        Literal::Timestamp(instant) => instant.to_rfc3339(),
        Literal::Date(day) => day.to_string(),
        Literal::Uuid(uuid) => uuid.to_string(),
    }
}

#[test]
fn any_query_is_answered_as_reckoned() {
    properties::run(48, Table::new);
}
