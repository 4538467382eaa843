//! Faults of a query: each is named where it is, all of them at once.

use serde_json::{Value, json};

use crate::harness::answer::faults;
use crate::harness::http::{EXPORT, QUERY};
use crate::harness::reports::{FROM, TO, all_sessions, by_status, export_of, with};
use crate::harness::server::shared;

/// An export of `by_status` with one member replaced, its own or one of its query: where the one fault of that
/// begins, its code (`-` where the contract leaves it open), the member, its value.
const FAULTS: &str = r#"
/query/dataset unknown_dataset query.dataset "nonsense"
/query/dataset unknown_dataset query.dataset "Sessions"
/query/dataset - query.dataset 5
/query/dataset - query.dataset null
/query/dimensions/1 unknown_dimension query.dimensions ["status", "nope"]
/query/dimensions/1 unknown_dimension query.dimensions ["status", "session_count"]
/query/dimensions/1 duplicate_column query.dimensions ["status", "status"]
/query/dimensions/1 - query.dimensions ["status", 1]
/query/dimensions - query.dimensions "status"
/query/measures/1 unknown_measure query.measures ["session_count", "nope"]
/query/measures/1 duplicate_column query.measures ["session_count", "session_count"]
/query/filters/0/field unknown_filter_field query.filters [{"field": "nope", "op": "eq", "value": "x"}]
/query/filters/0/op invalid_filter_op query.filters [{"field": "status", "op": "like", "value": "x"}]
/query/filters/0/op invalid_filter_op query.filters [{"field": "status", "op": "", "value": "x"}]
/query/filters/0/op invalid_filter_op query.filters [{"field": "status", "op": "EQ", "value": "x"}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "eq", "value": ["x"]}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "eq", "value": {"a": 1}}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "in", "value": "x"}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "in", "value": []}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "in", "value": ["x", 5]}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "in", "value": ["x", null]}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "gt", "value": null}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "eq", "value": 5}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "status", "op": "eq", "value": true}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "duration_ms", "op": "eq", "value": "long"}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "duration_ms", "op": "eq", "value": 1.5}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "session_id", "op": "eq", "value": "not-a-uuid"}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "day", "op": "eq", "value": "yesterday"}]
/query/filters/0/value invalid_filter_value query.filters [{"field": "day", "op": "eq", "value": "2026-02-30T00:00:00Z"}]
/query/filters - query.filters {"field": "status"}
/query/filters/0 - query.filters [{"field": "status", "value": "x"}]
/query/filters/0 - query.filters [{"field": "status", "op": "eq"}]
/query/filters/0 - query.filters [{"op": "eq", "value": "x"}]
/query/time_range invalid_time_range query.time_range {"from": "2026-05-24T00:00:00Z", "to": "2026-04-24T00:00:00Z"}
/query/time_range invalid_time_range query.time_range {"from": "2026-04-24T00:00:00Z", "to": "2026-04-24T00:00:00Z"}
/query/time_range/from invalid_time_range query.time_range {"from": "yesterday", "to": "2026-05-24T00:00:00Z"}
/query/time_range/to invalid_time_range query.time_range {"from": "2026-04-24T00:00:00Z", "to": "2026-13-01T00:00:00Z"}
/query/time_range/to - query.time_range {"from": "2026-04-24T00:00:00Z", "to": 5}
/query/time_range - query.time_range {"from": "2026-04-24T00:00:00Z"}
/query/time_range - query.time_range "2026"
/query/time_range invalid_time_range query.time_range {"from": "2020-01-01T00:00:00Z", "to": "2026-05-24T00:00:00Z"}
/query/limit invalid_limit query.limit -1
/query/limit invalid_limit query.limit 1.5
/query/limit invalid_limit query.limit "10"
/query/order_by/0 invalid_order_by query.order_by [{}]
/query/order_by/0 invalid_order_by query.order_by [{"dimension": "agent"}]
/query/order_by/0 invalid_order_by query.order_by [{"measure": "total_cost"}]
/query/order_by/0 invalid_order_by query.order_by [{"measure": "status"}]
/query/order_by/1 invalid_order_by query.order_by [{"dimension": "status"}, {"dimension": "nope"}]
/query/order_by/0 invalid_order_by query.order_by [{"dimension": "status", "direction": "up"}]
/query/order_by - query.order_by "status"
/format unsupported_format format "xml"
/format unsupported_format format "CSV"
/format unsupported_format format "parquet"
/format - format 5
/options - options {"sheet": "first"}
/extra invalid_request extra 1
/query/extra invalid_request query.extra 1
/query/org_id invalid_request query.org_id "org_acme"
/query/a~1b~0c invalid_request query.a/b~c 1
/query/time_range/zone invalid_request query.time_range {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z", "zone": "x"}
/query/filters/0/not invalid_request query.filters [{"field": "status", "op": "eq", "value": "x", "not": true}]
/query/order_by/0/nulls invalid_request query.order_by [{"dimension": "status", "nulls": "first"}]
/query - query []"#;

/// The body, where its one fault begins, and its code if the contract says which.
type Case = (Value, &'static str, Option<&'static str>);

fn case(line: &'static str) -> Case {
    let mut parts = line.splitn(4, ' ');
    let mut part = || parts.next().expect("four parts");
    let (pointer, code, member, value) = (part(), part(), part(), part());
    let value: Value = serde_json::from_str(value).expect("JSON");
    let body = match member.strip_prefix("query.") {
        Some(member) => export_of(&with(by_status(), member, value)),
        None => with(export_of(&by_status()), member, value),
    };
    (body, pointer, Some(code).filter(|code| *code != "-"))
}

#[tokio::test]
async fn each_fault_is_reported_where_it_is() {
    let server = shared();
    let http = server.http();
    let row_with_measure = with(all_sessions(10), "measures", json!(["session_count"]));
    let too_many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let too_many = json!([{"field": "status", "op": "in", "value": too_many}]);
    let too_many = export_of(&with(by_status(), "filters", too_many));
    let mut cases: Vec<Case> = FAULTS.trim().lines().map(case).collect();
    cases.extend([
        (export_of(&row_with_measure), "/query/measures", None),
        (too_many, "/query/filters/0/value", Some("too_many_items")),
        (json!({}), "/query", None),
    ]);
    for (body, pointer, code) in cases {
        let answer = http.post(EXPORT, &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let problem = answer.any_problem();
        let overall = &problem["code"];
        assert!(
            overall == "invalid_query" || overall == "invalid_request",
            "{problem:#}"
        );
        let found = faults(&problem);
        assert_eq!(found.len(), 1, "one fault in {body}, got {found:?}");
        for (at, what) in &found {
            assert!(
                at.starts_with(pointer),
                "expected {pointer} for {body}, got {found:?}"
            );
            assert!(
                code.is_none_or(|code| what == code),
                "expected {code:?} for {body}, got {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_missing_required_member_is_named() {
    let server = shared();
    let http = server.http();
    for member in ["dataset", "time_range"] {
        let mut query = by_status();
        query.as_object_mut().expect("an object").remove(member);
        let problem = http
            .post(EXPORT, &export_of(&query))
            .await
            .expect(400)
            .any_problem();
        assert!(problem.to_string().contains(member), "{problem:#}");
        let problem = http.post(QUERY, &query).await.expect(400).any_problem();
        assert!(problem.to_string().contains(member), "{problem:#}");
    }
}

#[tokio::test]
async fn all_faults_of_a_request_are_reported_at_once() {
    let server = shared();
    let http = server.http();
    let query = json!({
        "dataset": "sessions",
        "time_range": {"from": TO, "to": FROM},
        "dimensions": ["status", "color", "status"],
        "measures": ["happiness"],
        "filters": [
            {"field": "weather", "op": "eq", "value": "x"},
            {"field": "status", "op": "like", "value": "x"},
            {"field": "duration_ms", "op": "in", "value": []},
        ],
        "order_by": [{"dimension": "status"}, {"dimension": "status", "measure": "happiness"}],
        "limit": -1,
        "sparkle": true,
    });
    let expected = |prefix: &str| {
        [
            ("/time_range", "invalid_time_range"),
            ("/dimensions/1", "unknown_dimension"),
            ("/dimensions/2", "duplicate_column"),
            ("/measures/0", "unknown_measure"),
            ("/filters/0/field", "unknown_filter_field"),
            ("/filters/1/op", "invalid_filter_op"),
            ("/filters/2/value", "invalid_filter_value"),
            ("/order_by/1", "invalid_order_by"),
            ("/limit", "invalid_limit"),
            ("/sparkle", "invalid_request"),
        ]
        .map(|(at, code)| (format!("{prefix}{at}"), code.to_owned()))
    };
    let problem = http.post(QUERY, &query).await.problem(400, "invalid_query");
    assert_eq!(faults(&problem), expected("").into());

    let body = json!({"query": query, "format": "xml"});
    let problem = http.post(EXPORT, &body).await.problem(400, "invalid_query");
    let mut all = Vec::from(expected("/query"));
    all.push(("/format".to_owned(), "unsupported_format".to_owned()));
    assert_eq!(faults(&problem), all.into_iter().collect());
    let action = &problem["allowed_actions"][0];
    assert_eq!(action["rel"], "retry");
    assert_eq!(action["operation_id"], "export_report_query");
}

#[tokio::test]
async fn a_bare_query_cannot_ask_for_every_row() {
    let server = shared();
    let all = with(by_status(), "limit", Value::Null);
    let problem = server
        .http()
        .post(QUERY, &all)
        .await
        .problem(400, "invalid_query");
    assert_eq!(
        faults(&problem),
        [("/limit".to_owned(), "invalid_limit".to_owned())].into()
    );
}
