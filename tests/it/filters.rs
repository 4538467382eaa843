//! Which rows and in which order: filters against SQL of our own, NULLs last, total order, and no
//! row of another organisation whatever is asked.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::http::{EXPORT, Http, QUERY};
use crate::harness::reports::{FROM, TO, export_of};
use crate::harness::server::shared;
use crate::harness::truth::number;

/// How many sessions pass these filters.
async fn count(http: &Http, filters: &Value) -> i64 {
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "filters": filters,
    });
    let report = http.post(QUERY, &query).await.expect(200).json();
    let count = report["rows"][0]["row_count"].as_i64();
    count.unwrap_or_else(|| panic!("a count of {filters}, got {report}"))
}

fn expected(database: &Connection, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM sessions WHERE org_id = 'org_demo' AND ({condition})");
    number(database, &sql)
}

#[tokio::test]
async fn every_operator_selects_what_sql_selects() {
    let server = shared();
    let (http, database) = (server.http(), server.demo_database());
    let one_session: String = database
        .query_row(
            "SELECT session_id FROM sessions WHERE org_id = 'org_demo' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .expect("the demo has rows");
    let upper_case = one_session.to_uppercase();
    let cases = [
        (json!([]), "1"),
        (
            json!([{"field": "status", "op": "eq", "value": "failed"}]),
            "status = 'failed'",
        ),
        (
            json!([{"field": "status", "op": "neq", "value": "failed"}]),
            "status <> 'failed'",
        ),
        (
            json!([{"field": "status", "op": "in", "value": ["failed", "running"]}]),
            "status IN ('failed', 'running')",
        ),
        (
            json!([{"field": "status", "op": "in", "value": ["failed"]}]),
            "status = 'failed'",
        ),
        (
            json!([{"field": "agent", "op": "eq", "value": "übersetzung"}]),
            "agent = 'übersetzung'",
        ),
        (
            json!([{"field": "agent", "op": "gt", "value": "data"}]),
            "agent > 'data'",
        ),
        (
            json!([{"field": "agent", "op": "lt", "value": "data"}]),
            "agent < 'data'",
        ),
        (
            json!([{"field": "duration_ms", "op": "gt", "value": 60_000}]),
            "duration_ms > 60000",
        ),
        (
            json!([{"field": "duration_ms", "op": "gte", "value": 60_000}]),
            "duration_ms >= 60000",
        ),
        (
            json!([{"field": "duration_ms", "op": "lt", "value": 60_000}]),
            "duration_ms < 60000",
        ),
        (
            json!([{"field": "duration_ms", "op": "lte", "value": 60_000}]),
            "duration_ms <= 60000",
        ),
        (
            json!([{"field": "duration_ms", "op": "eq", "value": null}]),
            "duration_ms IS NULL",
        ),
        (
            json!([{"field": "duration_ms", "op": "neq", "value": null}]),
            "duration_ms IS NOT NULL",
        ),
        (
            json!([{"field": "day", "op": "gte", "value": "2026-05-10T00:00:00Z"}]),
            "started_at >= '2026-05-10'",
        ),
        (
            json!([{"field": "day", "op": "eq", "value": "2026-05-10T00:00:00Z"}]),
            "started_at >= '2026-05-10' AND started_at < '2026-05-11'",
        ),
        (
            json!([{"field": "session_id", "op": "eq", "value": one_session}]),
            "rowid = 1",
        ),
        (
            json!([{"field": "session_id", "op": "eq", "value": upper_case}]),
            "rowid = 1",
        ),
        (
            json!([
                {"field": "status", "op": "neq", "value": "completed"},
                {"field": "duration_ms", "op": "gt", "value": 1_000},
                {"field": "duration_ms", "op": "lte", "value": 500_000},
                {"field": "model", "op": "in", "value": ["atlas-large", "boreal-2"]},
            ]),
            "status <> 'completed' AND duration_ms > 1000 AND duration_ms <= 500000
             AND model IN ('atlas-large', 'boreal-2')",
        ),
    ];
    for (filters, condition) in cases {
        let wanted = match condition {
            "rowid = 1" => 1,
            condition => expected(&database, condition),
        };
        assert!(wanted > 0, "the demo has rows for {condition}");
        assert_eq!(
            count(&http, &filters).await,
            wanted,
            "{filters} is {condition}"
        );
    }
}

#[tokio::test]
async fn nulls_come_last_in_both_directions() {
    let server = shared();
    let http = server.http();
    for direction in ["asc", "desc"] {
        let query = json!({
            "dataset": "session_rows",
            "time_range": {"from": FROM, "to": "2026-04-26T00:00:00Z"},
            "dimensions": ["duration_ms", "session_id"],
            "order_by": [{"dimension": "duration_ms", "direction": direction}, {"dimension": "session_id"}],
            "limit": null,
        });
        let content = http.post(EXPORT, &export_of(&query)).await.content();
        let durations: Vec<Option<i64>> = content
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().and_then(|field| field.parse().ok()))
            .collect();
        let ended = durations
            .iter()
            .take_while(|duration| duration.is_some())
            .count();
        assert!(
            ended > 0 && ended < durations.len(),
            "both kinds in the range"
        );
        assert!(
            durations[ended..].iter().all(Option::is_none),
            "{direction}: NULLs last"
        );
        let ascending = durations[..ended].is_sorted();
        let descending = durations[..ended].is_sorted_by(|left, right| left >= right);
        assert!(
            if direction == "asc" {
                ascending
            } else {
                descending
            },
            "{direction}"
        );
    }
}

#[tokio::test]
async fn dimensions_that_the_order_does_not_name_break_its_ties() {
    let server = shared();
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["status", "agent", "model"],
        "measures": ["session_count"],
        "order_by": [{"dimension": "agent", "direction": "desc"}],
        "limit": null,
    });
    let content = server
        .http()
        .post(EXPORT, &export_of(&query))
        .await
        .content();
    let rows: Vec<Vec<&str>> = content
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert!(rows.len() > 20, "{content}");
    let mut sorted = rows.clone();
    sorted.sort_by(|left, right| {
        right[1]
            .cmp(left[1])
            .then(left[0].cmp(right[0]))
            .then(left[2].cmp(right[2]))
    });
    assert_eq!(rows, sorted);
}

#[tokio::test]
async fn an_order_by_a_measure_sorts_numbers_as_numbers() {
    let server = shared();
    for (measure, direction) in [("total_cost", "desc"), ("session_count", "asc")] {
        let query = json!({
            "dataset": "sessions",
            "time_range": {"from": FROM, "to": TO},
            "dimensions": ["day", "agent"],
            "measures": [measure],
            "order_by": [{"measure": measure, "direction": direction}],
            "limit": 1000,
        });
        let content = server
            .http()
            .post(EXPORT, &export_of(&query))
            .await
            .content();
        let values: Vec<f64> = content
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').next().and_then(|field| field.parse().ok()))
            .map(|value| value.expect("a number"))
            .collect();
        assert!(values.len() > 100);
        let sorted = match direction {
            "asc" => values.is_sorted(),
            _ => values.is_sorted_by(|left, right| left >= right),
        };
        assert!(sorted, "{measure} {direction}: {values:?}");
    }
}

#[tokio::test]
async fn no_filter_reaches_another_organisation() {
    let server = shared();
    let (http, database) = (server.http(), server.demo_database());
    let ours = expected(&database, "1");
    let all = number(&database, "SELECT count(*) FROM sessions");
    assert!(ours < all, "the demo holds other organisations");
    let other: String = database
        .query_row(
            "SELECT org_id FROM sessions WHERE org_id <> 'org_demo' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .expect("the demo holds other organisations");
    let theirs: String = database
        .query_row(
            "SELECT session_id FROM sessions WHERE org_id <> 'org_demo' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .expect("the demo holds other organisations");

    assert_eq!(count(&http, &json!([])).await, ours);
    for (field, op, value, passed) in [
        ("org_id", "eq", json!(other), 0),
        ("org_id", "neq", json!("org_demo"), 0),
        ("org_id", "in", json!([other, "org_demo"]), ours),
        ("org_id", "neq", json!(other), ours),
        ("org_id", "neq", json!(null), ours),
        ("org_id", "gt", json!(""), ours),
        ("org_id", "eq", json!("ORG_DEMO"), 0),
        ("session_id", "eq", json!(theirs), 0),
    ] {
        let filters = json!([{"field": field, "op": op, "value": value}]);
        assert_eq!(count(&http, &filters).await, passed, "{filters}");
    }
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["org_id"],
    });
    let content = http.post(EXPORT, &export_of(&query)).await.content();
    assert_eq!(content, format!("org_id,row_count\norg_demo,{ours}\n"));
}

#[tokio::test]
async fn hostile_filter_values_are_only_values() {
    let server = shared();
    let http = server.http();
    let hostile = [
        "org_demo' OR '1'='1",
        "'; DROP TABLE sessions; --",
        "' UNION SELECT org_id FROM sessions --",
        "\\'; SELECT 1; --",
        "\\",
        "\"",
        "''",
        "$$",
        "%",
        "?1",
        ":name",
        "failed' --",
        "/* */",
        "\u{0000}",
        "failed\u{0000}",
        "\u{feff}failed",
        "𝕱\u{202e}",
    ];
    for value in hostile {
        for filter in [
            json!({"field": "status", "op": "eq", "value": value}),
            json!({"field": "status", "op": "in", "value": [value, value]}),
            json!({"field": "org_id", "op": "eq", "value": value}),
        ] {
            let query = json!({
                "dataset": "sessions",
                "time_range": {"from": FROM, "to": TO},
                "filters": [filter],
            });
            let answer = http.post(QUERY, &query).await;
            // A text that a database cannot hold may be refused as a value; nothing has it anyway.
            if value.contains('\0') && answer.status == 400 {
                answer.problem(400, "invalid_query");
            } else {
                let report = answer.expect(200).json();
                assert_eq!(report["rows"], json!([{"row_count": 0}]), "{filter}");
            }
        }
    }
    let left = expected(&server.demo_database(), "1");
    assert_eq!(count(&http, &json!([])).await, left, "nothing was dropped");
}
