//! Text that would like to be more than text, against a server: it finds itself and nothing else.

use proptest::strategy::{Strategy, ValueTree};
use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use waybill_conformance::source::{file, plan_of, sources};
use waybill_test_services::hostile;
use waybill_test_services::postgres::Cluster;

use super::source;

const NOTES: &str = r#"
[datasets.notes]
table = "notes"
grain = "row"
tenant = "org"
time = "at"

[datasets.notes.dimensions]
number = { sql = "number", type = "integer" }

[datasets.notes.filters]
body = { sql = "body", type = "string" }
"#;

#[tokio::test]
async fn hostile_text_finds_itself_and_nothing_else() {
    let database = Cluster::shared().database();
    database.psql("CREATE TABLE notes (org text, at timestamptz, body text, number bigint)");
    let mut owner = PgConnection::connect(&database.url())
        .await
        .expect("the server");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut texts: Vec<String> = hostile::TEXTS.map(str::to_owned).to_vec();
    let mut any_text = || hostile::storable().new_tree(&mut runner);
    texts.extend((0..150).map(|_| any_text().expect("a text").current()));
    texts.sort();
    texts.dedup();
    for (number, text) in (0_i64..).zip(&texts) {
        // Once as what is asked for, once as whose it is.
        sqlx::query("INSERT INTO notes VALUES ('org', '2026-01-05', $1, $2), ($1 || 'x', '2026-01-05', '', $2)")
            .bind(text)
            .bind(number)
            .execute(&mut owner)
            .await
            .expect("a row");
    }
    let sources = sources(source(database.url()));
    for (number, text) in texts.iter().enumerate() {
        for filter in [
            json!([{ "field": "body", "op": "eq", "value": text }]),
            json!([{ "field": "body", "op": "in", "value": [text, "nobody wrote this"] }]),
            json!([
                { "field": "body", "op": "gte", "value": text },
                { "field": "body", "op": "lte", "value": text },
            ]),
        ] {
            let query = json!({ "dataset": "notes", "dimensions": ["number"], "filters": filter });
            let found = file(&sources, &plan_of(NOTES, "org", query)).await;
            assert_eq!(
                found.expect("a report"),
                format!("number\n{number}\n"),
                "{text:?}"
            );
        }
        let query = json!({ "dataset": "notes", "dimensions": ["number"] });
        let found = file(&sources, &plan_of(NOTES, &format!("{text}x"), query)).await;
        assert_eq!(
            found.expect("a report"),
            format!("number\n{number}\n"),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn the_tenant_column_may_have_any_type() {
    let database = Cluster::shared().database();
    database.psql(
        "CREATE TABLE numbers (org integer, at timestamptz, number bigint);
         INSERT INTO numbers VALUES (7, '2026-01-05', 1), (8, '2026-01-05', 2);
         CREATE TABLE uuids (org uuid, at timestamptz, number bigint);
         INSERT INTO uuids VALUES ('a0000000-0000-0000-0000-000000000000', '2026-01-05', 3);
         CREATE TABLE padded (org char(3), at timestamptz, number bigint);
         INSERT INTO padded VALUES ('x', '2026-01-05', 4);
         CREATE TYPE mood AS ENUM ('sad', 'happy');
         CREATE TABLE moods (org mood, at timestamptz, number bigint);
         INSERT INTO moods VALUES ('sad', '2026-01-05', 5);
         CREATE INDEX ON numbers (org, at);
         INSERT INTO numbers SELECT n, '2026-01-05', n FROM generate_series(100, 20000) AS n; ANALYZE numbers",
    );
    let sources = sources(source(database.url()));
    let found = async |table: &str, org: &str| {
        let catalog = NOTES.replace("\"notes\"", &format!("\"{table}\""));
        let catalog = catalog.replace(
            "[datasets.notes.filters]\nbody = { sql = \"body\", type = \"string\" }",
            "",
        );
        let query = json!({ "dataset": "notes", "dimensions": ["number"] });
        file(&sources, &plan_of(&catalog, org, query)).await
    };
    let uuid = "a0000000-0000-0000-0000-000000000000";
    for (table, org, expected) in [
        ("numbers", "7", "number\n1\n"),
        ("uuids", uuid, "number\n3\n"),
        ("padded", "x", "number\n4\n"),
        ("moods", "sad", "number\n5\n"),
        // Each of these is the same value to the column's type, and another organisation to us.
        ("numbers", "007", "number\n"),
        ("numbers", " 7", "number\n"),
        ("numbers", "+7", "number\n"),
        ("uuids", "A0000000-0000-0000-0000-000000000000", "number\n"),
        (
            "uuids",
            "{a0000000-0000-0000-0000-000000000000}",
            "number\n",
        ),
        ("padded", "x ", "number\n"),
    ] {
        assert_eq!(
            found(table, org).await.expect("a report"),
            expected,
            "{table} {org:?}"
        );
    }
    for table in ["numbers", "uuids", "moods"] {
        for org in ["org_demo", "", "99999999999999999999", "sad ", "é"] {
            let csv = found(table, org).await.expect("a report");
            assert_eq!(csv, "number\n", "{table} {org:?}");
        }
    }
    let plan = database.psql(
        "EXPLAIN SELECT number FROM numbers WHERE \"org\" = '7' AND \"org\"::text = '7'
           AND (at) >= '2026-01-01 00:00:00.000000+00'::timestamptz",
    );
    assert!(
        plan.contains("Index Cond") && plan.contains("org = 7"),
        "{plan}"
    );
}
