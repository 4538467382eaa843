//! How many rows are expected of a file that has no planner to ask: a count, as far as it costs little.

use waybill_report::source::RowEstimate;

use super::*;

async fn estimate(
    things: &Things,
    query: Value,
    most_rows: u64,
    enough: Option<u64>,
) -> Option<RowEstimate> {
    let sources = sources(things.source());
    let plan = plan_of(CATALOG, "a", query);
    let estimate = sources.estimate(&plan, most_rows, enough).await;
    estimate.expect("an answer")
}

fn rows_between(from: &str, to: &str) -> Value {
    json!({ "dataset": "things", "dimensions": ["i"], "order_by": [{ "dimension": "i" }],
        "time_range": { "from": from, "to": to } })
}

#[tokio::test]
async fn a_count_is_of_what_the_report_has() {
    let things = Things::new();
    things.execute(
        "INSERT INTO things (org, at, i, s) VALUES
            ('a', '2026-02-28T23:59:59.999999Z', 1, 'x'), ('a', '2026-03-01T00:30:00+01:00', 2, 'x'),
            ('a', '2026-02-28T23:30:00-01:00', 3, 'x'), ('a', '2026-03-02', 4, 'x'), ('a', '2026-03-10', 5, 'y'),
            ('a', 1773100800, 6, 'y'), ('a', 2461110.5, 7, 'y'), ('a', '2026-03-18 23:59:59-18:00', 8, 'y'),
            ('a', '2026-03-20T00:00:00Z', 9, 'y'), ('a', '2026-03-19T23:00:00-02:00', 10, 'y'),
            ('a', '2026-03-20T01:00:00+02:00', 11, 'y'), ('a', NULL, 12, 'y'), ('b', '2026-03-10', 13, 'x')",
    );
    for (from, to) in [
        ("2026-03-01T00:00:00Z", "2026-03-20T00:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        ("2026-03-01T12:00:00Z", "2026-03-04T12:00:00Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    ] {
        for filter in [
            json!([]),
            json!([{ "field": "s", "op": "eq", "value": "y" }]),
        ] {
            let mut query = rows_between(from, to);
            query["filters"] = filter;
            let rows = things.csv(query.clone()).await.lines().count() as u64 - 1;
            let counted = estimate(&things, query, u64::MAX, None).await;
            assert_eq!(counted, Some(RowEstimate::About(rows)), "{from} {to}");
        }
    }
    let groups = json!({ "dataset": "groups", "dimensions": ["s"] });
    let counted = estimate(&things, groups, u64::MAX, None).await;
    assert_eq!(counted, Some(RowEstimate::About(2)));
}

#[tokio::test]
async fn a_count_ends_with_enough_and_is_no_expectation_then() {
    let things = Things::new();
    things.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
         INSERT INTO things (org, at, i) SELECT 'a', '2026-03-01', i FROM n",
    );
    let all = || rows_between("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z");
    for (most_rows, enough, expected) in [
        (u64::MAX, None, RowEstimate::About(30)),
        (u64::MAX, Some(30), RowEstimate::About(30)),
        (u64::MAX, Some(29), RowEstimate::AtLeast(30)),
        (u64::MAX, Some(10), RowEstimate::AtLeast(11)),
        (20, None, RowEstimate::About(20)),
        (20, Some(10), RowEstimate::AtLeast(11)),
    ] {
        let counted = estimate(&things, all(), most_rows, enough).await;
        assert_eq!(counted, Some(expected), "{most_rows} {enough:?}");
        assert!(expected.exceeds(10));
    }
    assert_eq!(RowEstimate::AtLeast(11).about(), None);
}

/// The connection of a count that was ended is as good as before.
#[tokio::test]
async fn a_count_that_would_take_long_ends_and_spoils_nothing() {
    let things = Things::new();
    let source = things.source();
    let sources = sources(source);
    let query = json!({ "dataset": "endless", "dimensions": ["i"] });
    let plan = plan_of(ENDLESS, "a", query);
    let counted = sources.estimate(&plan, u64::MAX, None).await;
    assert_eq!(counted.expect("an answer"), None);
    things.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO things (org, at, i) SELECT 'a', '2026-03-01', i FROM n",
    );
    let all = rows_between("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z");
    let report = file(&sources, &plan_of(CATALOG, "a", all))
        .await
        .expect("a report");
    assert_eq!(report.lines().count(), 20_001);
}
