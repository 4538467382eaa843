//! Types that are not the catalog's own: what they are shown as is what they are compared as.

use serde_json::{Value, json};
use waybill_conformance::source::{file, plan_of, sources};
use waybill_report::catalog::{Catalog, CatalogFaults};
use waybill_report::check::Findings;
use waybill_report::source::SourceError;
use waybill_test_services::postgres::{Cluster, Database};

use super::source;

/// A row dataset and a grouped one of the table `kept`, with these fields (name and type).
fn catalog(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (dataset, grain) in [("kept", "row"), ("groups", "aggregate")] {
        text += &format!(
            "[datasets.{dataset}]\ntable = \"kept\"\ngrain = \"{grain}\"\ntenant = \"org\"\ntime = \"at\"\n\
             [datasets.{dataset}.dimensions]\nn = {{ sql = \"n\", type = \"integer\" }}\n"
        );
        for (name, column_type) in fields {
            text += &format!("{name} = {{ sql = \"{name}\", type = \"{column_type}\" }}\n");
        }
    }
    text
}

/// The table `kept`: `org`, `at`, `n` and one more column, with a row for each of its values.
fn kept(column: &str, values: &[&str]) -> Database<'static> {
    let database = Cluster::shared().database();
    database.psql(&format!(
        "CREATE TABLE kept (org text, at timestamptz, n integer, {column})"
    ));
    for (number, value) in values.iter().enumerate() {
        database.psql(&format!(
            "INSERT INTO kept VALUES ('a', '2026-01-05', {number}, {value})"
        ));
    }
    database
}

async fn report(url: String, catalog: &str, query: Value) -> Result<String, SourceError> {
    file(&sources(source(url)), &plan_of(catalog, "a", query)).await
}

/// The numbers of the rows that a filter finds.
async fn found(url: String, catalog: &str, field: &str, op: &str, value: Value) -> Vec<usize> {
    let query = json!({
        "dataset": "kept", "dimensions": ["n"], "order_by": [{ "dimension": "n" }],
        "filters": [{ "field": field, "op": op, "value": value }],
    });
    let csv = report(url, catalog, query).await.expect("a report");
    let cells = csv.lines().skip(1);
    cells.map(|cell| cell.parse().expect("a number")).collect()
}

async fn check(url: String, catalog: &str) -> Findings {
    let catalog = Catalog::parse(catalog).expect("a sound catalog");
    let findings = catalog.check(&sources(source(url))).await;
    findings.expect("an answer")
}

#[tokio::test]
async fn a_real_has_the_digits_of_its_own_width() {
    let database = kept(
        "r real",
        &[
            "0.1",
            "16777216",
            "3.4028235e38",
            "1e-45",
            "'-0'",
            "'NaN'",
            "-0.3",
            "0.1",
        ],
    );
    let catalog = catalog(&[("r", "float")]);
    let order = json!([{ "dimension": "r" }, { "dimension": "n" }]);
    let query = json!({ "dataset": "kept", "dimensions": ["n", "r"], "order_by": order });
    assert_eq!(
        report(database.url(), &catalog, query)
            .await
            .expect("a report"),
        "n,r\n6,-0.3\n4,-0\n3,1e-45\n0,0.1\n7,0.1\n1,16777216\n2,3.4028235e+38\n5,NaN\n"
    );
    for (op, value, expected) in [
        ("eq", json!(0.1), vec![0, 7]),
        ("in", json!([0.1, -0.3]), vec![0, 6, 7]),
        ("gte", json!(0.1), vec![0, 1, 2, 5, 7]),
        ("gt", json!(0.1), vec![1, 2, 5]),
        ("lte", json!(-0.3), vec![6]),
        ("lt", json!(0.100_000_001), vec![0, 3, 4, 6, 7]),
        ("neq", json!(0.1), vec![1, 2, 3, 4, 5, 6]),
        // No real has this value.
        ("eq", json!(0.100_000_001_490_116_12), vec![]),
        ("gt", json!(1e300), vec![5]),
    ] {
        let rows = found(database.url(), &catalog, "r", op, value.clone()).await;
        assert_eq!(rows, expected, "{op} {value}");
    }
    let filters = json!([{ "field": "r", "op": "gt", "value": -1 }, { "field": "r", "op": "lt", "value": 1 }]);
    let query = json!({ "dataset": "groups", "dimensions": ["r"], "filters": filters, "order_by": [{ "dimension": "r" }] });
    assert_eq!(
        report(database.url(), &catalog, query)
            .await
            .expect("a report"),
        "r,row_count\n-0.3,1\n-0,1\n1e-45,1\n0.1,2\n"
    );
}

#[tokio::test]
async fn an_integer_is_never_rounded() {
    for (column, whole, broken) in [
        ("v numeric", ["2.00", "-9223372036854775808", "7"], "1.5"),
        ("v numeric(10, 2)", ["2", "-4", "7"], "0.01"),
        ("v numeric", ["2.00", "-4", "7"], "1e30"),
        ("v numeric", ["2.00", "-4", "7"], "'NaN'"),
        ("v double precision", ["2", "-4", "9007199254740992"], "1.5"),
        ("v real", ["2", "-4", "7"], "0.25"),
    ] {
        let database = kept(column, &[whole[0], whole[1], whole[2], "NULL"]);
        let catalog = catalog(&[("v", "integer")]);
        let values = json!({ "dataset": "kept", "dimensions": ["v", "n"], "order_by": [{ "dimension": "n" }] });
        let expected = format!("v,n\n2,0\n{},1\n{},2\n,3\n", whole[1], whole[2]);
        let csv = report(database.url(), &catalog, values.clone()).await;
        assert_eq!(csv.expect("whole numbers"), expected, "{column}");
        let groups =
            json!({ "dataset": "groups", "dimensions": ["v"], "order_by": [{ "dimension": "v" }] });
        let expected = format!("v,row_count\n{},1\n2,1\n{},1\n,1\n", whole[1], whole[2]);
        let csv = report(database.url(), &catalog, groups).await;
        assert_eq!(csv.expect("whole numbers"), expected, "{column}");
        assert_eq!(
            found(database.url(), &catalog, "v", "eq", json!(2)).await,
            [0]
        );

        database.psql(&format!(
            "INSERT INTO kept VALUES ('a', '2026-01-05', 9, {broken})"
        ));
        let error = report(database.url(), &catalog, values).await;
        let error = error.expect_err("no integer");
        assert!(
            matches!(&error, SourceError::Value { column, .. } if column == "v"),
            "{broken} of {column}: {error}"
        );
        assert!(!error.to_string().contains(broken), "{error}");
    }
}

#[tokio::test]
async fn a_sum_of_integers_is_one() {
    let database = kept("v bigint", &["9223372036854775807", "-1", "NULL"]);
    let catalog = catalog(&[("v", "integer")])
        + "[datasets.groups.measures]\ntotal = { sql = \"sum(v)\", type = \"integer\" }\n";
    let query = json!({ "dataset": "groups", "measures": ["total"] });
    let csv = report(database.url(), &catalog, query).await;
    assert_eq!(csv.expect("a report"), "total\n9223372036854775806\n");
    let findings = check(database.url(), &catalog).await;
    assert_eq!(findings.faults, None);
    assert!(
        findings
            .warnings
            .iter()
            .all(|warning| warning.setting.ends_with("time"))
    );
}

#[tokio::test]
async fn what_is_declared_a_string_is_compared_as_it_is_shown() {
    for (column, values, low, high) in [
        ("v mood", ["'sad'", "'happy'"], "happy", "sad"),
        (
            "v inet",
            ["'10.0.0.1'", "'10.0.0.0/8'"],
            "10.0.0.0/8",
            "10.0.0.1",
        ),
        (
            "v inet",
            ["'::1'", "'2001:db8::/32'"],
            "2001:db8::/32",
            "::1",
        ),
        (
            "v cidr",
            ["'10.1.0.0/16'", "'10.0.0.1'"],
            "10.0.0.1/32",
            "10.1.0.0/16",
        ),
        (
            "v uuid",
            [
                "'B0000000-0000-0000-0000-000000000000'",
                "'a0000000-0000-0000-0000-000000000000'",
            ],
            "a0000000-0000-0000-0000-000000000000",
            "b0000000-0000-0000-0000-000000000000",
        ),
        (
            "v text[]",
            ["'{b,\"c d\"}'", "'{a,NULL}'"],
            "{a,NULL}",
            "{b,\"c d\"}",
        ),
        ("v integer", ["7", "12"], "12", "7"),
        (
            "v jsonb",
            ["'{\"b\": 1}'", "'{\"a\":1}'"],
            "{\"a\": 1}",
            "{\"b\": 1}",
        ),
        ("v char(3)", ["'b'", "'a'"], "a", "b"),
        ("v bytea", ["'\\x02ff'", "'\\x01'"], "\\x01", "\\x02ff"),
        ("v interval", ["'2 days'", "'1 hour'"], "01:00:00", "2 days"),
        ("v short", ["'b'", "'a'"], "a", "b"),
    ] {
        let database = Cluster::shared().database();
        database
            .psql("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS varchar(3)");
        database.psql(&format!(
            "CREATE TABLE kept (org text, at timestamptz, n integer, {column})"
        ));
        database.psql(&format!(
            "INSERT INTO kept VALUES ('a', '2026-01-05', 0, {}), ('a', '2026-01-05', 1, {}), ('a', '2026-01-05', 2, NULL)",
            values[0], values[1]
        ));
        let catalog = catalog(&[("v", "string")]);
        let findings = check(database.url(), &catalog).await;
        assert_eq!(findings.faults, None, "{column}");
        let order = json!([{ "dimension": "v" }]);
        let query = json!({ "dataset": "groups", "dimensions": ["v"], "order_by": order });
        let csv = report(database.url(), &catalog, query)
            .await
            .expect("a report");
        let quoted = |text: &str| match text.contains(['"', ',']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let expected = format!("v,row_count\n{},1\n{},1\n,1\n", quoted(low), quoted(high));
        assert_eq!(csv, expected, "{column}");
        for (op, value, expected) in [
            ("eq", json!(high), vec![0]),
            ("neq", json!(high), vec![1]),
            ("in", json!([low, "no such value"]), vec![1]),
            ("gt", json!(low), vec![0]),
            ("lte", json!(low), vec![1]),
            ("eq", json!("no such value"), vec![]),
            ("eq", Value::Null, vec![2]),
        ] {
            let rows = found(database.url(), &catalog, "v", op, value.clone()).await;
            assert_eq!(rows, expected, "{column} {op} {value}");
        }
    }
}

#[tokio::test]
async fn texts_that_their_collation_takes_for_equal_are_different() {
    for (setup, column) in [
        ("CREATE EXTENSION citext", "v citext"),
        (
            "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
            "v text COLLATE loose",
        ),
        (
            "CREATE SCHEMA elsewhere; CREATE COLLATION elsewhere.\"Loose\" (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
             CREATE DOMAIN name AS text COLLATE elsewhere.\"Loose\"; CREATE DOMAIN names AS name",
            "v names",
        ),
        ("CREATE COLLATION strict (provider = icu, locale = 'de')", "v text COLLATE strict"),
    ] {
        let database = Cluster::shared().database();
        database.psql(setup);
        database.psql(&format!(
            "CREATE TABLE kept (org text, at timestamptz, n integer, {column});
             INSERT INTO kept VALUES ('a', '2026-01-05', 0, 'b'), ('a', '2026-01-05', 1, 'B'), ('a', '2026-01-05', 2, 'a');
             CREATE INDEX ON kept (v)"
        ));
        let catalog = catalog(&[("v", "string")]);
        for (op, value, expected) in [
            ("eq", json!("b"), vec![0]),
            ("neq", json!("b"), vec![1, 2]),
            ("in", json!(["B", "A"]), vec![1]),
            ("gt", json!("B"), vec![0, 2]),
            ("lte", json!("a"), vec![1, 2]),
        ] {
            let rows = found(database.url(), &catalog, "v", op, value.clone()).await;
            assert_eq!(rows, expected, "{column} {op} {value}");
        }
        let query = json!({ "dataset": "groups", "dimensions": ["v"], "order_by": [{ "dimension": "v" }] });
        let csv = report(database.url(), &catalog, query).await;
        assert_eq!(csv.expect("a report"), "v,row_count\nB,1\na,1\nb,1\n", "{column}");
    }
}

#[tokio::test]
async fn what_a_role_has_set_changes_no_byte() {
    let database = Cluster::shared().database();
    database.psql(
        "CREATE TABLE kept (org text, at timestamptz, n integer, s interval, b bytea, f double precision, r real,
           t timestamptz, l timestamp, d date, x xml);
         INSERT INTO kept VALUES ('a', '2026-01-05', 0, '1 year 2 days 03:04:05.5', '\\x00ff41', 0.1 + 0.2::float8, 0.1,
           '2026-01-05 10:00:00+02', '2026-01-05 10:00:00', '2026-01-05', xmlelement(name a, '\\xff'::bytea))",
    );
    let fields = ["s", "b", "f", "r", "t", "l", "d", "x"].map(|name| (name, "string"));
    let catalog = catalog(&fields);
    let names = fields.map(|(name, _)| name);
    let query = json!({ "dataset": "kept", "dimensions": names });
    let plain = report(database.url(), &catalog, query.clone())
        .await
        .expect("a report");
    assert_eq!(
        plain.lines().nth(1),
        Some(
            "1 year 2 days 03:04:05.5,\\x00ff41,0.30000000000000004,0.1,2026-01-05 08:00:00+00,2026-01-05 10:00:00,\
             2026-01-05,<a>/w==</a>"
        )
    );
    for (setting, value) in [
        ("IntervalStyle", "iso_8601"),
        ("IntervalStyle", "sql_standard"),
        ("bytea_output", "escape"),
        ("DateStyle", "'German, DMY'"),
        ("extra_float_digits", "-15"),
        ("TimeZone", "'America/New_York'"),
        ("xmlbinary", "hex"),
    ] {
        database.psql(&format!(
            "ALTER DATABASE {} SET {setting} = {value}",
            database.name()
        ));
        let csv = report(database.url(), &catalog, query.clone()).await;
        assert_eq!(csv.expect("a report"), plain, "{setting} = {value}");
    }
}

#[tokio::test]
async fn a_character_that_the_database_cannot_hold_is_nowhere() {
    let database = Cluster::shared().database();
    let latin = format!("{}_latin", database.name());
    let psql = |name: &str, sql: &str| Cluster::shared().psql(name, sql);
    psql(
        "postgres",
        &format!(
            "CREATE DATABASE {latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ),
    );
    psql(
        &latin,
        "CREATE TABLE kept (org text, at timestamptz, n integer, v text);
         INSERT INTO kept VALUES ('a', '2026-01-05', 0, 'e'), ('a', '2026-01-05', 1, chr(233)), ('a', '2026-01-05', 2, NULL),
           (chr(233), '2026-01-05', 3, 'x')",
    );
    let url = || database.url().replace(database.name(), &latin);
    let catalog = catalog(&[("v", "string")]);
    for (op, value, expected) in [
        ("eq", json!("€"), vec![]),
        ("neq", json!("€"), vec![0, 1]),
        ("in", json!(["€", "e"]), vec![0]),
        ("in", json!(["é", "€"]), vec![1]),
        ("lt", json!("€"), vec![0, 1]),
        ("gte", json!("€"), vec![]),
        ("eq", json!("é"), vec![1]),
        ("eq", json!("e"), vec![0]),
    ] {
        let rows = found(url(), &catalog, "v", op, value.clone()).await;
        assert_eq!(rows, expected, "{op} {value}");
    }
    let query = json!({ "dataset": "kept", "dimensions": ["n", "v"] });
    for (org, expected) in [("é", "n,v\n3,x\n"), ("€", "n,v\n")] {
        let plan = plan_of(&catalog, org, query.clone());
        let csv = file(&sources(source(url())), &plan).await;
        assert_eq!(csv.expect("a report"), expected, "{org}");
    }
}

#[tokio::test]
async fn declared_types_are_held_against_those_of_the_database() {
    let database = kept(
        "i integer, d numeric(10, 2), f real, t text, ts timestamp, day date, u uuid, b boolean, j jsonb",
        &[],
    );
    let finding = async |name: &str, column_type: &str| {
        let findings = check(database.url(), &catalog(&[(name, column_type)])).await;
        let faults: Vec<String> = findings
            .faults
            .iter()
            .flat_map(CatalogFaults::iter)
            .map(ToString::to_string)
            .collect();
        let warnings = findings.warnings.iter().map(ToString::to_string);
        let warnings: Vec<String> = warnings
            .filter(|warning| !warning.contains("no index"))
            .collect();
        // The same of both datasets, and of a dimension and the filter that it is.
        let told: Vec<String> = faults.iter().chain(&warnings).cloned().collect();
        assert!(matches!(told.len(), 0 | 2), "{told:?}");
        (
            !faults.is_empty(),
            told.first().cloned().unwrap_or_default(),
        )
    };
    for (name, column_type) in [
        ("i", "integer"),
        ("i", "decimal"),
        ("i", "float"),
        ("i", "string"),
        ("d", "decimal"),
        ("d", "float"),
        ("f", "float"),
        ("t", "string"),
        ("ts", "timestamp"),
        ("day", "timestamp"),
        ("day", "date"),
        ("u", "uuid"),
        ("u", "string"),
        ("b", "boolean"),
        ("b", "string"),
        ("j", "json"),
        ("j", "string"),
    ] {
        assert_eq!(
            finding(name, column_type).await,
            (false, String::new()),
            "{name} {column_type}"
        );
    }
    for (name, column_type, is_fault, told) in [
        (
            "d",
            "integer",
            false,
            "is of type numeric in the database: a value with a fraction fails the report",
        ),
        (
            "f",
            "integer",
            false,
            "is of type float4 in the database: a value with a fraction fails the report",
        ),
        (
            "f",
            "decimal",
            false,
            "is of type float4 in the database: a decimal keeps 15 of its digits",
        ),
        (
            "t",
            "integer",
            true,
            "is of type text in the database: declare it a string, or write a cast: (t)::bigint",
        ),
        (
            "ts",
            "date",
            true,
            "is of type timestamp in the database: declare it a timestamp, or write a cast: (ts)::date",
        ),
        (
            "t",
            "uuid",
            true,
            "is of type text in the database: declare it a string, or write a cast: (t)::uuid",
        ),
        (
            "i",
            "boolean",
            true,
            "is of type int4 in the database: declare it an integer, or write a cast: (i)::boolean",
        ),
        (
            "u",
            "timestamp",
            true,
            "is of type uuid in the database: declare it a uuid",
        ),
    ] {
        let (found_fault, found) = finding(name, column_type).await;
        assert_eq!(found_fault, is_fault, "{found}");
        let begin = format!("datasets.kept.dimensions.{name}: {told}");
        assert!(found.starts_with(&begin), "{found}");
    }
}

#[tokio::test]
async fn a_tenant_column_that_is_no_text_is_warned_of() {
    let database = kept("v text", &[]);
    database.psql("ALTER TABLE kept ALTER org TYPE integer USING 1");
    let findings = check(database.url(), &catalog(&[("v", "string")])).await;
    assert_eq!(findings.faults, None);
    let warnings: Vec<String> = findings.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings[0]
            .starts_with("datasets.kept.tenant: is of type int4 in the database: an organisation"),
        "{warnings:?}"
    );
}

/// What was known of a column is not believed for ever.
#[tokio::test]
async fn a_column_may_change_its_type() {
    let database = kept("v text", &["'0.1'"]);
    let text = catalog(&[("v", "string")]);
    let sources = sources(source(database.url()));
    let query = json!({ "dataset": "kept", "dimensions": ["v"], "filters": [{ "field": "v", "op": "eq", "value": "0.1" }] });
    let plan = plan_of(&text, "a", query);
    assert_eq!(file(&sources, &plan).await.expect("a report"), "v\n0.1\n");
    database.psql("ALTER TABLE kept ALTER v TYPE real USING v::real");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        match file(&sources, &plan).await {
            Ok(csv) => break assert_eq!(csv, "v\n0.1\n"),
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
