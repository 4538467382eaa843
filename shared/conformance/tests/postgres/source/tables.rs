//! What a draft makes of types that only PostgreSQL has, of schemas and of permissions.

use waybill_conformance::source::sources;
use waybill_report::catalog::{Catalog, Dataset};
use waybill_report::draft::{Draft, draft};
use waybill_test_services::postgres::{Cluster, Database};

use super::source;

const TYPES: &str = "
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN amount AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE DOMAIN price AS amount;
CREATE TABLE samples (
  id bigserial PRIMARY KEY, org_id text NOT NULL, created_at timestamp NOT NULL, updated_at timestamptz,
  small smallint, large bigint, single real, exact price, coins money, feeling mood, host inet, tags text[],
  numbers int[], raw bytea, doc jsonb, lasted interval, clock time, code char(3), word varchar(9), span int4range,
  place point, bits bit(4), page xml, number oid
);
INSERT INTO samples (org_id, created_at, small, large, single, exact, coins, feeling, host, tags, raw, doc, lasted,
    clock, code, word, span, place, bits, page, number)
  VALUES ('a', '2026-03-01', 1, 9223372036854775807, 0.5, 1.50, 2, 'glad', '10.0.0.1/8', '{x,y}', '\\x00', '{}', '1 day',
    '12:00', 'ab', 'w', '[1,2)', '(1,2)', '1010', '<a/>', 7),
  ('a', '2026-03-01', 1, 9223372036854775807, 0.5, 1.50, 2, 'glad', '10.0.0.1/8', '{x,y}', '\\x00', '{}', '1 day',
    '12:00', 'ab', 'w', '[1,2)', '(1,2)', '1010', '<a/>', 7)";

async fn drafted(database: &Database<'_>, url: String) -> (Draft, Catalog) {
    let source = source(url);
    let tables = source.tables().await.expect("an answer");
    let draft = draft("default", &tables);
    let catalog = Catalog::parse(&draft.text).unwrap_or_else(|why| panic!("{why}\n{}", draft.text));
    let findings = catalog.check(&sources(source)).await.expect("an answer");
    assert_eq!(findings.faults, None, "{}\n{}", database.name(), draft.text);
    (draft, catalog)
}

fn types(dataset: &Dataset) -> Vec<(&str, &'static str)> {
    let dimensions = dataset.dimensions.iter();
    dimensions
        .map(|field| (field.name.as_str(), field.column_type.name()))
        .collect()
}

#[tokio::test]
async fn every_type_is_drafted_as_what_the_source_can_give() {
    let database = Cluster::shared().database();
    database.psql(TYPES);
    let (draft, catalog) = drafted(&database, database.url()).await;
    let rows = catalog.dataset("samples_rows").expect("the rows");
    assert_eq!(
        types(rows),
        [
            ("id", "integer"),
            ("org_id", "string"),
            ("created_at", "timestamp"),
            ("updated_at", "timestamp"),
            ("small", "integer"),
            ("large", "integer"),
            ("single", "float"),
            ("exact", "decimal"),
            ("coins", "decimal"),
            ("feeling", "string"),
            ("host", "string"),
            ("tags", "string"),
            ("numbers", "string"),
            ("doc", "json"),
            ("lasted", "string"),
            ("clock", "string"),
            ("code", "string"),
            ("word", "string"),
            ("span", "string"),
            ("place", "string"),
            ("bits", "string"),
            ("page", "string"),
            ("number", "integer"),
        ]
    );
    assert!(
        draft
            .text
            .contains("# raw (bytea): no catalog type holds bytes"),
        "{}",
        draft.text
    );
    let groups = catalog.dataset("samples").expect("the groups");
    let measures: Vec<(&str, &str)> = groups
        .measures
        .iter()
        .map(|field| (field.name.as_str(), field.column_type.name()))
        .collect();
    assert_eq!(
        measures,
        [
            ("samples_count", "integer"),
            ("total_small", "integer"),
            ("avg_small", "float"),
            ("total_large", "decimal"),
            ("avg_large", "float"),
            ("total_single", "float"),
            ("avg_single", "float"),
            ("total_exact", "decimal"),
            ("avg_exact", "decimal"),
            ("total_coins", "decimal"),
            ("avg_coins", "decimal"),
        ]
    );
    assert_eq!(groups.time.sql, "created_at");
    assert!(groups.dimension("day").is_some());
    assert!(
        groups.dimension("id").is_none(),
        "it tells every row from the others"
    );
}

#[tokio::test]
async fn a_draft_has_what_the_role_may_read_in_every_schema() {
    let database = Cluster::shared().database();
    let role = format!("reader_{}", database.name());
    database.psql(&format!(
        "CREATE SCHEMA sales; CREATE SCHEMA \"Old Stock\"; CREATE SCHEMA hidden; CREATE SCHEMA waybill;
         CREATE TABLE public.orders (org text, at date, secret text);
         CREATE TABLE sales.orders (org text, at timestamptz, n int) PARTITION BY RANGE (at);
         CREATE TABLE sales.orders_2026 PARTITION OF sales.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         CREATE MATERIALIZED VIEW \"Old Stock\".\"in.store\" AS SELECT 'a'::text AS org, now() AS at;
         CREATE TABLE hidden.orders (org text, at timestamptz);
         CREATE TABLE waybill.exports (org text, at timestamptz);
         CREATE TABLE public.closed (org text, at timestamptz);
         CREATE ROLE {role} LOGIN;
         GRANT USAGE ON SCHEMA sales, \"Old Stock\" TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA sales, \"Old Stock\", hidden TO {role};
         GRANT SELECT (org, at) ON public.orders TO {role}"
    ));
    let (draft, catalog) = drafted(&database, database.url_of(&role)).await;
    let names: Vec<&str> = catalog
        .datasets()
        .map(|dataset| dataset.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "old_stock_in_store",
            "old_stock_in_store_rows",
            "orders",
            "orders_rows",
            "sales_orders",
            "sales_orders_rows",
        ],
        "{}",
        draft.text
    );
    let orders = catalog.dataset("orders_rows").expect("what may be read");
    assert_eq!(types(orders), [("org", "string"), ("at", "date")]);
    assert_eq!(draft.undecided, [""; 0]);
    database.psql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
