//! Times that are no instants: never a missing row, never another organisation's trouble.

use serde_json::json;

use super::*;

const BY_TIME: &str = "CREATE INDEX things_by_time ON things (org, at)";

/// The catalog of the suite with a form for each instant.
fn with_form(form: &str) -> String {
    CATALOG
        .replace(
            "time = \"at\"",
            &format!("time = {{ sql = \"at\", form = \"{form}\" }}"),
        )
        .replace(
            "updated = \"at\"",
            &format!("updated = {{ sql = \"at\", form = \"{form}\" }}"),
        )
        .replace(
            "type = \"timestamp\" }",
            &format!("type = \"timestamp\", form = \"{form}\" }}"),
        )
}

async fn report(things: &Things, plan: &ReportPlan) -> Result<String, SourceError> {
    file(&sources(things.source()), plan).await
}

fn numbers() -> Value {
    json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }] })
}

/// What the report says of the time, and of no other column.
async fn refusal(things: &Things, plan: &ReportPlan) -> String {
    match report(things, plan).await {
        Err(SourceError::Value { column, reason, .. }) if column == "time" => reason,
        other => panic!("expected a refusal of the time, got {other:?}"),
    }
}

#[tokio::test]
async fn a_time_that_is_no_instant_is_an_error_that_names_its_row() {
    for index in [
        "",
        BY_TIME,
        "CREATE INDEX things_by_org ON things (org)",
        "CREATE INDEX by_at ON things (at)",
    ] {
        for stored in [
            "'24.04.2026'",
            "'04/24/2026'",
            "'1777000000'",
            "'N/A'",
            "''",
            "' 2026-05-01'",
            "'2026-5-1'",
            "'2026-05-1'",
            "'20260501'",
            "'2026-05-01T'",
            "'2026-05-01 10:00:00 UTC'",
            "'2026-05-01T10:00:00.Z'",
            "'2026-13-01'",
            "'2026/05/01'",
            "x'3230323620'",
            "1777000000000",
            "1777000000.5",
            "'~'",
            "'９'",
        ] {
            let things = Things::new();
            things.execute(index);
            things.execute(&format!(
                "INSERT INTO things (org, at, i) VALUES
                    ('a', '2024-02-29', 1), ('a', '2026-05-01 10:00:00', 2), ('b', '2026-05-01', 3), ('a', NULL, 4),
                    ('a', '2026-05-31T23:00:00-05:00', 5), ('a', '2031-01-01', 6);
                 INSERT INTO things (rowid, org, at, i) VALUES (77, 'a', {stored}, 7)"
            ));
            let may = json!({ "from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z" });
            let mut query = numbers();
            query["time_range"] = may.clone();
            let reason = refusal(&things, &plan_of(CATALOG, "a", query.clone())).await;
            assert!(
                reason.ends_with(", in the row with rowid 77"),
                "{stored}: {reason}"
            );
            assert!(!reason.contains("2026"), "the value is not told: {reason}");
            let groups = json!({ "dataset": "groups", "measures": ["n"], "time_range": may });
            refusal(&things, &plan_of(CATALOG, "a", groups)).await;
            // The other organisation has its report.
            let csv = report(&things, &plan_of(CATALOG, "b", query.clone())).await;
            assert_eq!(csv.expect("a report"), "i\n3\n", "{stored}; {index}");
            things.execute("DELETE FROM things WHERE i = 7");
            let csv = report(&things, &plan_of(CATALOG, "a", query)).await;
            assert_eq!(csv.expect("a report"), "i\n2\n", "{index}");
        }
    }
}

/// The day that it begins with says that it is none of the report's.
#[tokio::test]
async fn a_broken_time_of_another_day_is_no_error() {
    let things = Things::new();
    things.execute(BY_TIME);
    things.execute(
        "INSERT INTO things (org, at, i) VALUES ('a', '2026-03-05 10:00:00 CET', 1), ('a', '2026-05-01', 2),
            ('a', '2026-05-04 at noon', 3)",
    );
    let mut query = numbers();
    query["time_range"] = json!({ "from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z" });
    let csv = report(&things, &plan_of(CATALOG, "a", query)).await;
    assert_eq!(csv.expect("a report"), "i\n2\n");
    refusal(&things, &plan_of(CATALOG, "a", numbers())).await;
}

#[tokio::test]
async fn what_another_organisation_has_stored_is_nobodys_error() {
    for index in [
        "",
        BY_TIME,
        "CREATE INDEX by_at ON things (at)",
        "CREATE INDEX by_d ON things (d)",
    ] {
        let things = Things::new();
        things.execute(index);
        things.execute(
            "INSERT INTO things (org, at, i, s, d, b, u, j) VALUES
                ('b', 'N/A', 1, x'00', 'many', 'maybe', 'none', x'00'), ('b', '2026-05-01', 2, x'ff', '1,5', 2, 7, x'00'),
                ('a', '2026-05-01', 3, 'x', '1.5', 1, '0193aaaa-0000-7000-8000-000000000001', '{}')",
        );
        let filters = json!([
            { "field": "d", "op": "gte", "value": "1.50" }, { "field": "b", "op": "eq", "value": true },
            { "field": "u", "op": "neq", "value": "0193aaaa-0000-7000-8000-000000000002" },
            { "field": "s", "op": "in", "value": ["x", "y"] },
            { "field": "at", "op": "gt", "value": "2026-04-01T00:00:00Z" },
        ]);
        let all = ["s", "d", "b", "u", "at"];
        let order = all.map(|name| json!({ "dimension": name }));
        let query = json!({ "dataset": "things", "dimensions": all, "filters": filters, "order_by": order });
        let csv = report(&things, &plan_of(CATALOG, "a", query)).await;
        let row = "x,1.5,true,0193aaaa-0000-7000-8000-000000000001,2026-05-01T00:00:00Z";
        assert_eq!(
            csv.expect("a report"),
            format!("s,d,b,u,at\n{row}\n"),
            "{index}"
        );
        let query = json!({ "dataset": "groups", "dimensions": all, "measures": ["n"], "filters": filters, "order_by": order });
        let csv = report(&things, &plan_of(CATALOG, "a", query)).await;
        assert_eq!(
            csv.expect("a report"),
            format!("s,d,b,u,at,n\n{row},1\n"),
            "{index}"
        );
    }
}

/// A value that a function refuses is told as the reader tells it, with the column's name.
#[tokio::test]
async fn an_unfit_value_in_a_filter_names_its_column() {
    for (field, stored, value) in [
        ("d", "'many'", json!("1")),
        ("b", "'maybe'", json!(true)),
        ("u", "'none'", json!("0193aaaa-0000-7000-8000-000000000001")),
        ("s", "x'00'", json!("x")),
    ] {
        let things = Things::new();
        things.execute(&format!(
            "INSERT INTO things (org, at, i, {field}) VALUES ('a', '2026-05-01', 1, {stored})"
        ));
        let mut query = numbers();
        query["filters"] = json!([{ "field": field, "op": "eq", "value": value }]);
        let error = report(&things, &plan_of(CATALOG, "a", query)).await;
        assert!(
            matches!(&error, Err(SourceError::Value { column, .. }) if column == field),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_catalog_may_say_how_times_are_written() {
    for (form, before, first, last, after, strays) in [
        (
            "rfc3339",
            "'2026-04-30T23:59:59.999999Z'",
            "'2026-05-01 02:00:00+02:00'",
            "'2026-05-31T23:59:59.999999Z'",
            "'2026-06-01'",
            ["'24.04.2026'", "1777593600", "1777593600.5", "x'00'"],
        ),
        (
            "epoch_s",
            "1777593599.999",
            "1777593600",
            "1780271999.5",
            "1780272000",
            ["'2026-05-01'", "'1777593600'", "1777593600000", "x'00'"],
        ),
        (
            "epoch_ms",
            "1777593599999",
            "1777593600000.0",
            "1780271999999",
            "1780272000000",
            [
                "'2026-05-01'",
                "'1777593600000'",
                "1777593600000000",
                "-9e99",
            ],
        ),
        (
            "julian",
            "2461161.49",
            "2461161.5",
            "2461192.49",
            "2461192.5",
            ["'2026-05-01'", "1777593600", "1e300", "x'00'"],
        ),
    ] {
        for index in ["", BY_TIME] {
            let things = Things::new();
            things.execute(index);
            things.execute(&format!(
                "INSERT INTO things (org, at, i) VALUES
                    ('a', {before}, 1), ('a', {first}, 2), ('a', {last}, 3), ('a', {after}, 4), ('b', 'N/A', 5), ('a', NULL, 6)"
            ));
            let catalog = with_form(form);
            let may = json!({ "from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z" });
            let mut query = numbers();
            query["time_range"] = may.clone();
            let plan = plan_of(&catalog, "a", query);
            assert_eq!(
                report(&things, &plan).await.expect("a report"),
                "i\n2\n3\n",
                "{form}; {index}"
            );
            // The same form for what is shown and filtered.
            let query = json!({
                "dataset": "things", "dimensions": ["at"], "time_range": may,
                "filters": [{ "field": "at", "op": "lte", "value": "2026-05-01T00:00:00Z" }],
            });
            let csv = report(&things, &plan_of(&catalog, "a", query)).await;
            assert_eq!(
                csv.expect("a report"),
                "at\n2026-05-01T00:00:00Z\n",
                "{form}"
            );
            let query = json!({ "dataset": "groups", "dimensions": ["at"], "time_range": may, "order_by": [{ "dimension": "at" }], "limit": 1 });
            let csv = report(&things, &plan_of(&catalog, "a", query)).await;
            assert_eq!(
                csv.expect("a report"),
                "at,row_count\n2026-05-01T00:00:00Z,1\n",
                "{form}"
            );
            let snapshot = open(&sources(things.source()), &plan)
                .await
                .expect("a snapshot");
            let newest = snapshot.source_updated_at.map(|newest| newest.to_rfc3339());
            assert_eq!(
                newest.as_deref(),
                Some("2026-06-01T00:00:00+00:00"),
                "{form}"
            );

            for stray in strays {
                things.execute(&format!(
                    "INSERT INTO things (rowid, org, at, i) VALUES (78, 'a', {stray}, 7)"
                ));
                let reason = refusal(&things, &plan).await;
                assert!(
                    reason.ends_with(", in the row with rowid 78"),
                    "{form} {stray}; {index}: {reason}"
                );
                things.execute("DELETE FROM things WHERE i = 7");
            }
        }
    }
}

#[tokio::test]
async fn a_relation_without_row_numbers_is_checked_too() {
    let things = Things::new();
    things.execute(
        "CREATE TABLE kept (org TEXT, at TEXT, i INTEGER, PRIMARY KEY (org, at)) WITHOUT ROWID;
         INSERT INTO kept VALUES ('a', '2026-05-01', 1), ('a', '24.04.2026', 2), ('b', '2026-05-01', 3);
         CREATE VIEW seen AS SELECT org, at, i FROM kept",
    );
    for relation in [
        "table = \"kept\"",
        "table = \"seen\"",
        "sql = \"SELECT * FROM kept\"",
    ] {
        let catalog = CATALOG.replacen("table = \"things\"", relation, 1);
        let reason = refusal(&things, &plan_of(&catalog, "a", numbers())).await;
        assert!(
            reason.starts_with("text that is no ISO 8601 instant"),
            "{reason}"
        );
        let csv = report(&things, &plan_of(&catalog, "b", numbers())).await;
        assert_eq!(csv.expect("a report"), "i\n3\n");
    }
}
