//! Which rows are selected: by organisation, by time and by every filter.

use serde_json::{Value, json};
use waybill_report::query::{MAX_FILTERS, MAX_IN_VALUES};

use super::backend::Backend;
use super::report::{CATALOG, file, integers, plan_of, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    the_range_is_half_open(&fresh().await).await;
    instants_compare_exactly(&fresh().await).await;
    organisations_are_kept_apart(&fresh().await).await;
    every_filter_selects_what_it_says(&fresh().await).await;
    as_many_filters_as_there_can_be_are_answered(&fresh().await).await;
}

async fn the_range_is_half_open(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2025-12-31T23:59:59.999999Z', 1),
            ('a', '2026-01-01T00:00:00Z', 2),
            ('a', '2025-12-31T20:00:00-04:00', 3),
            ('a', '2026-12-31T23:59:59.999999Z', 4),
            ('a', '2027-01-01T00:00:00Z', 5),
            ('a', '2027-01-01 05:00:00+05:30', 6),
            ('a', NULL, 7)",
    );
    let found = integers(backend, json!({ "order_by": [{ "dimension": "i" }] })).await;
    assert_eq!(found, [2, 3, 4, 6]);
}

/// Also those that lie between two that a database holds.
async fn instants_compare_exactly(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-01T23:59:59.999999Z', 1),
            ('a', '2026-01-02T00:00:00Z', 2),
            ('a', '9999-12-31T23:59:59.999999Z', 3)",
    );
    let always = json!({ "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.9999999Z" });
    let midnight = json!("2026-01-02T00:00:00Z");
    for between in [
        "2026-01-01T23:59:59.999999999Z",
        "2026-01-02T00:59:59.9999995+01:00",
        "2026-01-01T23:59:59.999999000000000001Z",
    ] {
        for (op, value, expected) in [
            ("lt", json!(between), vec![1]),
            ("lte", json!(between), vec![1]),
            ("gt", json!(between), vec![2, 3]),
            ("gte", json!(between), vec![2, 3]),
            ("eq", json!(between), vec![]),
            ("neq", json!(between), vec![1, 2, 3]),
            ("in", json!([between]), vec![]),
            ("in", json!([between, midnight]), vec![2]),
            ("eq", midnight.clone(), vec![2]),
        ] {
            let filters = json!([{ "field": "at", "op": op, "value": value }]);
            let order = json!([{ "dimension": "i" }]);
            let query = json!({ "time_range": always, "filters": filters, "order_by": order });
            assert_eq!(integers(backend, query).await, expected, "{op} {value}");
        }
        let before = json!({ "from": "2026-01-01T00:00:00Z", "to": between });
        assert_eq!(
            integers(backend, json!({ "time_range": before })).await,
            [1]
        );
        let after = json!({ "from": between, "to": "2026-01-02T00:00:00.0000001Z" });
        assert_eq!(integers(backend, json!({ "time_range": after })).await, [2]);
    }
}

async fn organisations_are_kept_apart(backend: &impl Backend) {
    const ORGANISATIONS: [&str; 9] = [
        "a",
        "A",
        "a ",
        "7",
        "007",
        "it's",
        "a' OR 'a' = 'a",
        "\\'; --",
        "é",
    ];
    for (number, org) in ORGANISATIONS.iter().enumerate() {
        let org = org.replace('\'', "''");
        backend.execute(&format!(
            "INSERT INTO things (org, at, i) VALUES ('{org}', '2026-01-05T00:00:00Z', {number})"
        ));
    }
    let sources = sources(backend.source());
    for (number, org) in ORGANISATIONS.iter().enumerate() {
        let query = json!({ "dataset": "things", "dimensions": ["i"] });
        let file = file(&sources, &plan_of(CATALOG, org, query)).await;
        assert_eq!(file.expect("a report"), format!("i\n{number}\n"), "{org}");
    }
}

async fn every_filter_selects_what_it_says(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, s, f, d, b, day, u, j) VALUES
            ('a', '2026-01-01T00:00:00Z', -1, 'B', -1.5, '-1.50', FALSE, '2026-01-01',
             '00000000-0000-0000-0000-00000000000a', '1'),
            ('a', '2026-01-02T00:00:00Z', 0, 'a', 0, '0.1', TRUE, '2026-01-02',
             '00000000-0000-0000-0000-00000000000b', '[ ]'),
            ('a', '2026-01-03T00:00:00Z', 5, 'é''\\', 1e300, '100', TRUE, '2026-01-03',
             '00000000-0000-0000-0000-00000000000c', NULL),
            ('a', '2026-01-04T00:00:00Z', 9, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    // The values of the rows -1, 0 and 5, in ascending order.
    let ordered = [
        ("i", [json!(-1), json!(0), json!(5)]),
        ("s", [json!("B"), json!("a"), json!("é'\\")]),
        ("f", [json!(-1.5), json!(0), json!(1e300)]),
        ("d", [json!(-1.5), json!("0.10"), json!(1e2)]),
        (
            "at",
            ["01", "02", "03"].map(|day| json!(format!("2026-01-{day}T01:00:00+01:00"))),
        ),
        (
            "day",
            ["01", "02", "03"].map(|day| json!(format!("2026-01-{day}"))),
        ),
    ];
    let select = async |field: &str, op: &str, value: &Value| {
        let filters = json!([{ "field": field, "op": op, "value": value }]);
        integers(
            backend,
            json!({ "filters": filters, "order_by": [{ "dimension": "i" }] }),
        )
        .await
    };
    for (field, [low, middle, high]) in &ordered {
        // Row 9 has no value, except where all rows have one.
        let with_last = |mut rows: Vec<i64>| {
            if matches!(*field, "i" | "at") {
                rows.push(9);
            }
            rows
        };
        assert_eq!(select(field, "eq", middle).await, [0], "{field}");
        assert_eq!(
            select(field, "neq", middle).await,
            with_last(vec![-1, 5]),
            "{field}"
        );
        assert_eq!(
            select(field, "gt", low).await,
            with_last(vec![0, 5]),
            "{field}"
        );
        assert_eq!(
            select(field, "gte", middle).await,
            with_last(vec![0, 5]),
            "{field}"
        );
        assert_eq!(select(field, "lt", high).await, [-1, 0], "{field}");
        assert_eq!(select(field, "lte", middle).await, [-1, 0], "{field}");
        assert_eq!(
            select(field, "in", &json!([high, low])).await,
            [-1, 5],
            "{field}"
        );
    }
    let uuid = |last: &str| json!(format!("00000000-0000-0000-0000-00000000000{last}"));
    assert_eq!(select("u", "eq", &uuid("B")).await, [0]);
    assert_eq!(select("u", "neq", &uuid("b")).await, [-1, 5]);
    assert_eq!(
        select("u", "in", &json!([uuid("a"), uuid("c")])).await,
        [-1, 5]
    );
    assert_eq!(select("b", "eq", &json!(true)).await, [0, 5]);
    assert_eq!(select("b", "neq", &json!(true)).await, [-1]);
    assert_eq!(select("b", "in", &json!([false])).await, [-1]);
    for field in ["s", "f", "d", "b", "day", "u"] {
        assert_eq!(select(field, "eq", &Value::Null).await, [9], "{field}");
        assert_eq!(
            select(field, "neq", &Value::Null).await,
            [-1, 0, 5],
            "{field}"
        );
    }
    assert_eq!(select("j", "eq", &Value::Null).await, [5, 9]);
    assert_eq!(select("j", "neq", &Value::Null).await, [-1, 0]);
}

async fn as_many_filters_as_there_can_be_are_answered(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-05T00:00:00Z', 5), ('a', '2026-01-05T00:00:00Z', 5000)",
    );
    let values: Vec<usize> = (0..MAX_IN_VALUES).collect();
    let filter = json!({ "field": "i", "op": "in", "value": values });
    let filters = vec![filter; MAX_FILTERS];
    assert_eq!(integers(backend, json!({ "filters": filters })).await, [5]);
}
