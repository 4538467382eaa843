//! Values and types that only PostgreSQL has, and what the catalog may not say of them.

use serde_json::json;
use waybill_conformance::source::{Backend, CATALOG, file, open, plan_of, sources};
use waybill_report::catalog::Catalog;
use waybill_report::failure::FailureCode;
use waybill_report::query::ReportPlan;
use waybill_report::source::SourceError;
use waybill_test_services::postgres::Cluster;

use super::{TABLE, Things, source};

fn plan(query: serde_json::Value) -> ReportPlan {
    plan_of(CATALOG, "a", query)
}

#[tokio::test]
async fn infinite_and_remote_times_arrive_as_the_server_writes_them() {
    let things = Things::new();
    let values = [
        "infinity",
        "-infinity",
        "0044-03-15 BC",
        "0001-12-31 BC",
        "4713-01-01 BC",
        "10000-01-01",
        "15000-06-30",
        "294246-12-31",
    ];
    things.execute("ALTER TABLE things ADD seen timestamptz DEFAULT '2026-01-05'");
    for (i, value) in values.iter().enumerate() {
        things.execute(&format!(
            "SET TIME ZONE 'UTC'; INSERT INTO things (org, i, at, day) VALUES ('a', {i}, '{value}', '{value}')"
        ));
    }
    let catalog = CATALOG.replace("time = \"at\"", "time = \"seen\"");
    let query = json!({ "dataset": "things", "dimensions": ["i", "at", "day"], "order_by": [{ "dimension": "i" }] });
    let plan = plan_of(&catalog, "a", query);
    let csv = file(&sources(things.source()), &plan).await;
    let expected = things.database.psql(
        "SET TIME ZONE 'UTC'; COPY (SELECT i, at, day FROM things ORDER BY i) TO STDOUT (FORMAT csv, HEADER)",
    );
    assert!(expected.contains("2,0044-03-15 00:00:00+00 BC,0044-03-15 BC"));
    assert_eq!(csv.expect("a report").trim_end(), expected);
    // The newest row is at infinity, which is no freshness.
    let snapshot = open(&sources(things.source()), &plan).await;
    assert_eq!(snapshot.expect("a snapshot").source_updated_at, None);
    things.execute("DELETE FROM things WHERE at = 'infinity'");
    let snapshot = open(&sources(things.source()), &plan).await;
    assert_eq!(snapshot.expect("a snapshot").source_updated_at, None);
}

/// A text that the server cannot send is found where it sends it.
#[tokio::test]
async fn text_that_is_no_utf_8_names_its_row() {
    let database = Cluster::shared().database();
    let ascii = format!("{}_ascii", database.name());
    let psql = |name: &str, sql: &str| Cluster::shared().psql(name, sql);
    psql(
        "postgres",
        &format!(
            "CREATE DATABASE {ascii} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ),
    );
    psql(
        &ascii,
        &format!(
            "{TABLE};
             INSERT INTO things (org, at, i, s) SELECT 'a', '2026-01-05', n, 'x' FROM generate_series(1, 20000) AS n;
             UPDATE things SET s = E'\\xff' WHERE i = 12345"
        ),
    );
    let url = database.url().replace(database.name(), &ascii);
    let query = json!({ "dataset": "things", "dimensions": ["i", "s"], "order_by": [{ "dimension": "i" }] });
    let error = file(&sources(source(url)), &plan(query)).await;
    let error = error.expect_err("no text");
    assert!(
        matches!(&error, SourceError::Value { column, row: Some(12_345), .. } if column == "s"),
        "{error}"
    );
    let failure = error.failure().expect("a client can act");
    assert_eq!(failure.code, FailureCode::ValueUnrepresentable);
}

#[tokio::test]
async fn what_is_not_finite_is_still_a_number() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i, f, d) VALUES
            ('a', '2026-01-05', 1, 'NaN', 'NaN'),
            ('a', '2026-01-05', 2, 'Infinity', 'Infinity'),
            ('a', '2026-01-05', 3, '-Infinity', '-Infinity'),
            ('a', '2026-01-05', 4, '-0', '1e30'),
            ('a', '2026-01-05', -9223372036854775808, 0.1::real, -0.0)",
    );
    let query = json!({ "dataset": "things", "dimensions": ["f", "d", "i"], "order_by": [{ "dimension": "f" }, { "dimension": "i" }] });
    let csv = file(&sources(things.source()), &plan(query)).await;
    assert_eq!(
        csv.expect("a report"),
        "f,d,i\n\
         -Infinity,-Infinity,3\n\
         -0,1000000000000000000000000000000,4\n\
         0.10000000149011612,0.0,-9223372036854775808\n\
         Infinity,Infinity,2\n\
         NaN,NaN,1\n"
    );
}

#[tokio::test]
async fn other_types_are_cast_to_those_of_the_catalog() {
    let things = Things::new();
    things.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'happy');
         CREATE VIEW wide AS SELECT org, at, 'happy'::mood AS m, 7::smallint AS small, 1.5::real AS r,
           '12.30'::money::numeric AS price, '2026-01-05 10:00:00'::timestamp AS local, 'x'::char(3) AS padded,
           '{\"b\": 1, \"a\": [1, 2]}'::jsonb AS document, inet '10.0.0.1' AS host
         FROM things;
         INSERT INTO things (org, at) VALUES ('a', '2026-01-05')",
    );
    let catalog = r#"
[datasets.wide]
table = "wide"
grain = "row"
tenant = "org"
time = "local"
updated = "local"
[datasets.wide.dimensions]
m = { sql = "m", type = "string" }
small = { sql = "small", type = "integer" }
r = { sql = "r", type = "float" }
price = { sql = "price", type = "decimal" }
local = { sql = "local", type = "timestamp" }
padded = { sql = "padded", type = "string" }
document = { sql = "document", type = "json" }
host = { sql = "host", type = "string" }
[datasets.wide.filters]
small = { sql = "small", type = "integer" }
"#;
    let all = [
        "m", "small", "r", "price", "local", "padded", "document", "host",
    ];
    let query = json!({
        "dataset": "wide", "dimensions": all, "order_by": [{ "dimension": "m" }, { "dimension": "padded" }],
        "time_range": { "from": "2026-01-05T10:00:00Z", "to": "2026-01-05T10:00:00.000001Z" },
    });
    let sources = sources(things.source());
    let csv = file(&sources, &plan_of(catalog, "a", query)).await;
    assert_eq!(
        csv.expect("a report"),
        "m,small,r,price,local,padded,document,host\n\
         happy,7,1.5,12.30,2026-01-05T10:00:00Z,x,\"{\"\"a\"\":[1,2],\"\"b\"\":1}\",10.0.0.1\n"
    );
    let findings = Catalog::parse(catalog)
        .expect("sound")
        .check(&sources)
        .await
        .expect("an answer");
    assert_eq!(
        (findings.faults, findings.warnings),
        (None, Vec::new()),
        "a view has no index"
    );

    // What no filter could ever be compared with is found at the start.
    let wrong = format!(
        "{catalog}mood = {{ sql = \"m\", type = \"string\" }}\nhost = {{ sql = \"host\", type = \"string\" }}\n\
         document = {{ sql = \"document\", type = \"decimal\" }}\npoint = {{ sql = \"point(1, 2)\", type = \"json\" }}\n"
    );
    let findings = Catalog::parse(&wrong)
        .expect("sound")
        .check(&sources)
        .await
        .expect("an answer");
    let faults: Vec<String> = findings
        .faults
        .expect("faults")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        [
            "datasets.wide.filters.document: is of type jsonb in the database: declare it json, or write a cast: \
          (document)::numeric"
        ]
    );
}

#[tokio::test]
async fn an_error_of_the_data_spoils_no_connection() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series(1, 100000) AS n",
    );
    let catalog = CATALOG.replace("i = { sql = \"i\"", "i = { sql = \"1 / (i - 90000)\"");
    let query = json!({ "dataset": "things", "dimensions": ["i", "s"] });
    let sources = sources(things.source());
    for _ in 0..6 {
        let error = file(&sources, &plan_of(&catalog, "a", query.clone())).await;
        let error = error.expect_err("in the middle of the rows");
        assert!(
            matches!(&error, SourceError::Query(fault) if fault.reason == "division by zero"),
            "{error}"
        );
    }
    file(&sources, &plan(query))
        .await
        .expect("and the next report is whole");
}

#[tokio::test]
async fn rows_are_estimated_without_order_and_limit() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i, s) SELECT 'a', '2026-01-05', n, n % 10 FROM generate_series(1, 50000) AS n;
         ANALYZE things",
    );
    let sources = sources(things.source());
    let estimate = async |query: serde_json::Value, most: u64| {
        let rows = sources.estimate(&plan(query), most, None).await;
        let rows = rows.expect("an answer").expect("an estimate");
        rows.about().expect("it is of all rows")
    };
    let all = json!({ "dataset": "things", "dimensions": ["i"] });
    assert!((45_000..=55_000).contains(&estimate(all.clone(), u64::MAX).await));
    assert_eq!(estimate(all.clone(), 1_000).await, 1_000);
    let mut ordered = all;
    ordered["limit"] = 500.into();
    ordered["order_by"] = json!([{ "dimension": "i" }]);
    assert_eq!(estimate(ordered, u64::MAX).await, 500);
    let groups = json!({ "dataset": "groups", "dimensions": ["s"] });
    assert!(estimate(groups, u64::MAX).await <= 20);
}
