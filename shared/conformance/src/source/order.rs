//! In which order rows come, in which groups, and how many.

use std::time::Duration;

use serde_json::{Value, json};
use waybill_report::source::RowEstimate;

use super::backend::Backend;
use super::report::{CATALOG, SIZES, csv, file, integers, plan, plan_of, rows, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    every_type_has_one_order(&fresh().await).await;
    a_constant_is_a_value_and_no_place(&fresh().await).await;
    groups_are_counted(&fresh().await).await;
    limits_meet(&fresh().await).await;
}

async fn every_type_has_one_order(backend: &impl Backend) {
    // By its bytes "B" comes before "a", which no language thinks right.
    backend.execute(
        "INSERT INTO things (org, at, i, s, f, d, b, day, u, j) VALUES
            ('a', '2026-01-01T00:00:00Z', 1, 'B', -2, '-10', FALSE, '2026-01-01',
             '00000000-0000-0000-0000-00000000000a', '\"B\"'),
            ('a', '2026-01-02T00:00:00Z', 2, 'a', -1.5, '9.5', TRUE, '2026-01-02',
             '00000000-0000-0000-0000-00000000000b', '\"a\"'),
            ('a', '2026-01-03T00:00:00Z', 3, 'é', 10, '10', NULL, '2026-02-01',
             'a0000000-0000-0000-0000-000000000000', '\"é\"'),
            ('a', '2026-01-04T00:00:00Z', 4, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    for field in ["s", "f", "d", "day", "u", "j"] {
        let ascending = json!({ "order_by": [{ "dimension": field }] });
        // The order may name only what is selected.
        let order = async |direction: &str, mut query: Value| {
            query["dataset"] = "things".into();
            query["dimensions"] = json!(["i", field]);
            query["order_by"][0]["direction"] = direction.into();
            let csv = csv(backend, query).await;
            let first = |line: &str| line.split(',').next().map(str::to_owned);
            csv.lines().skip(1).filter_map(first).collect::<Vec<_>>()
        };
        assert_eq!(
            order("asc", ascending.clone()).await,
            ["1", "2", "3", "4"],
            "{field}"
        );
        assert_eq!(
            order("desc", ascending).await,
            ["3", "2", "1", "4"],
            "{field}"
        );
    }
    let by_truth = json!({
        "dataset": "things", "dimensions": ["b", "i"],
        "order_by": [{ "dimension": "b", "direction": "desc" }, { "dimension": "i", "direction": "desc" }],
    });
    assert_eq!(
        csv(backend, by_truth).await,
        "b,i\ntrue,2\nfalse,1\n,4\n,3\n"
    );
}

/// SQL takes a number in GROUP BY and ORDER BY for the place of a column.
async fn a_constant_is_a_value_and_no_place(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, f, s) VALUES
            ('a', '2026-01-01T00:00:00Z', 1, 1, 'x'), ('a', '2026-01-02T00:00:00Z', 2, 1, 'y')",
    );
    let catalog = CATALOG
        .replace("s = { sql = \"s\"", "s = { sql = \"'all'\"")
        .replace("i = { sql = \"i\"", "i = { sql = \"3\"")
        .replace("f = { sql = \"f\"", "f = { sql = \"2.5\"")
        .replace("d = { sql = \"d\"", "d = { sql = \"(4) /* four */\"")
        .replace(
            "[datasets.groups.dimensions]\n",
            "[datasets.groups.dimensions]\ni = { sql = \" -7\", type = \"integer\" }\n\
             one = { sql = \"+ (1)\", type = \"integer\" }\n",
        );
    let sources = sources(backend.source());
    let all = ["s", "i", "f", "d"];
    let order = all.map(|name| json!({ "dimension": name, "direction": "desc" }));
    let query = json!({ "dataset": "things", "dimensions": all, "order_by": order });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(
        csv.expect("a report"),
        "s,i,f,d\nall,3,2.5,4\nall,3,2.5,4\n"
    );
    let all = ["i", "s", "one", "d"];
    let order = all.map(|name| json!({ "dimension": name }));
    let query =
        json!({ "dataset": "groups", "dimensions": all, "measures": ["n"], "order_by": order });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(csv.expect("a report"), "i,s,one,d,n\n-7,all,1,4,2\n");
    let filters = json!([{ "field": "one", "op": "eq", "value": 1 }, { "field": "s", "op": "eq", "value": "all" }]);
    let query = json!({ "dataset": "groups", "measures": ["n"], "filters": filters });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(csv.expect("a report"), "n\n2\n");
}

async fn groups_are_counted(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, s, d, b, j) VALUES
            ('a', '2026-01-01T10:00:00Z', 1, 'x', '10', TRUE, '{ }'),
            ('a', '2026-01-01T12:00:00+02:00', 2, 'x', '10', TRUE, '{ }'),
            ('a', '2026-01-01T10:00:00.5Z', 3, 'X', '9.5', FALSE, '[1, 2]'),
            ('a', '2026-01-02T00:00:00Z', NULL, NULL, NULL, NULL, NULL),
            ('b', '2026-01-01T10:00:00Z', 9, 'x', '10', TRUE, '{ }')",
    );
    let query = json!({
        "dataset": "groups", "dimensions": ["s"], "measures": ["n", "total"],
        "order_by": [{ "measure": "n", "direction": "desc" }],
    });
    assert_eq!(csv(backend, query).await, "s,n,total\nx,2,3\nX,1,3\n,1,\n");
    let query = json!({
        "dataset": "groups", "dimensions": ["at", "b"], "order_by": [{ "dimension": "at" }],
    });
    assert_eq!(
        csv(backend, query).await,
        "at,b,row_count\n\
         2026-01-01T10:00:00Z,true,2\n\
         2026-01-01T10:00:00.5Z,false,1\n\
         2026-01-02T00:00:00Z,,1\n"
    );
    let query = json!({
        "dataset": "groups", "dimensions": ["d", "j"], "measures": ["n", "last"],
        "order_by": [{ "measure": "last" }, { "dimension": "d" }],
    });
    assert_eq!(
        csv(backend, query).await,
        "d,j,n,last\n9.5,\"[1,2]\",1,X\n10,{},2,x\n,,1,\n"
    );
    let query = json!({ "dataset": "groups", "dimensions": ["day", "u"], "measures": ["n"] });
    assert_eq!(csv(backend, query).await, "day,u,n\n,,4\n");
    let query = json!({ "dataset": "groups", "measures": ["n", "total", "last"] });
    assert_eq!(csv(backend, query).await, "n,total,last\n4,6,x\n");
}

async fn limits_meet(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-01T00:00:00Z', 1), ('a', '2026-01-02T00:00:00Z', 2), ('a', '2026-01-03T00:00:00Z', 3)",
    );
    let query = json!({ "order_by": [{ "dimension": "i", "direction": "desc" }], "limit": 2 });
    assert_eq!(integers(backend, query).await, [3, 2]);
    let sources = sources(backend.source());
    let all = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    for (most_rows, expected) in [(1, 1), (3, 3), (u64::MAX, 3)] {
        let snapshot = sources.open(&all, most_rows, SIZES, Duration::ZERO).await;
        let rows = rows(snapshot.expect("a snapshot")).await;
        assert_eq!(rows.expect("whole"), expected);
        let estimate = sources.estimate(&all, most_rows, None).await;
        let estimate = estimate.expect("an answer").and_then(RowEstimate::about);
        assert!(estimate.is_some_and(|rows| rows <= most_rows));
    }
}
