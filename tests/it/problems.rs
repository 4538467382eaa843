//! Bad input: each fault is named where it is, all of them at once, and nothing that a client sends
//! is ever the server's fault.

use serde_json::{Value, json};

use crate::harness::http::{EXPORT, JSON, QUERY, faults};
use crate::harness::reports::{FROM, TO, all_sessions, by_status, export_of, with};
use crate::harness::server::shared;

/// An export of `by_status` with one member of the query replaced.
fn query_with(member: &str, value: Value) -> Value {
    export_of(&with(by_status(), member, value))
}

fn filter(field: &str, op: &str, value: impl Into<Value>) -> Value {
    query_with(
        "filters",
        json!([{"field": field, "op": op, "value": value.into()}]),
    )
}

#[tokio::test]
async fn each_fault_is_reported_where_it_is() {
    let server = shared();
    let http = server.http();
    let mut unknown_option = export_of(&by_status());
    unknown_option["options"] = json!({"sheet": "first"});
    let row_with_measure = with(all_sessions(10), "measures", json!(["session_count"]));
    let too_many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();

    // (body, start of the pointer, code or nothing where the contract leaves it open)
    let cases: Vec<(Value, &str, &str)> = vec![
        (
            query_with("dataset", json!("nonsense")),
            "/query/dataset",
            "unknown_dataset",
        ),
        (
            query_with("dataset", json!("Sessions")),
            "/query/dataset",
            "unknown_dataset",
        ),
        (query_with("dataset", json!(5)), "/query/dataset", ""),
        (query_with("dataset", Value::Null), "/query/dataset", ""),
        (
            query_with("dimensions", json!(["status", "nope"])),
            "/query/dimensions/1",
            "unknown_dimension",
        ),
        (
            query_with("dimensions", json!(["status", "session_count"])),
            "/query/dimensions/1",
            "unknown_dimension",
        ),
        (
            query_with("dimensions", json!(["status", "status"])),
            "/query/dimensions/1",
            "duplicate_column",
        ),
        (
            query_with("dimensions", json!(["status", 1])),
            "/query/dimensions/1",
            "",
        ),
        (
            query_with("dimensions", json!("status")),
            "/query/dimensions",
            "",
        ),
        (
            query_with("measures", json!(["session_count", "nope"])),
            "/query/measures/1",
            "unknown_measure",
        ),
        (
            query_with("measures", json!(["session_count", "session_count"])),
            "/query/measures/1",
            "duplicate_column",
        ),
        (export_of(&row_with_measure), "/query/measures", ""),
        (
            filter("nope", "eq", "x"),
            "/query/filters/0/field",
            "unknown_filter_field",
        ),
        (
            filter("status", "like", "x"),
            "/query/filters/0/op",
            "invalid_filter_op",
        ),
        (
            filter("status", "", "x"),
            "/query/filters/0/op",
            "invalid_filter_op",
        ),
        (
            filter("status", "EQ", "x"),
            "/query/filters/0/op",
            "invalid_filter_op",
        ),
        (
            filter("status", "eq", json!(["x"])),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "eq", json!({"a": 1})),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "in", "x"),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "in", json!([])),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "in", json!(["x", 5])),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "in", json!(["x", null])),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "in", too_many),
            "/query/filters/0/value",
            "too_many_items",
        ),
        (
            filter("status", "gt", Value::Null),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "eq", 5),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("status", "eq", true),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("duration_ms", "eq", "long"),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("duration_ms", "eq", 1.5),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("session_id", "eq", "not-a-uuid"),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("day", "eq", "yesterday"),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            filter("day", "eq", "2026-02-30T00:00:00Z"),
            "/query/filters/0/value",
            "invalid_filter_value",
        ),
        (
            query_with("filters", json!({"field": "status"})),
            "/query/filters",
            "",
        ),
        (
            query_with("filters", json!([{"field": "status", "value": "x"}])),
            "/query/filters/0",
            "",
        ),
        (
            query_with("filters", json!([{"field": "status", "op": "eq"}])),
            "/query/filters/0",
            "",
        ),
        (
            query_with("filters", json!([{"op": "eq", "value": "x"}])),
            "/query/filters/0",
            "",
        ),
        (
            query_with("time_range", json!({"from": TO, "to": FROM})),
            "/query/time_range",
            "invalid_time_range",
        ),
        (
            query_with("time_range", json!({"from": FROM, "to": FROM})),
            "/query/time_range",
            "invalid_time_range",
        ),
        (
            query_with("time_range", json!({"from": "yesterday", "to": TO})),
            "/query/time_range/from",
            "invalid_time_range",
        ),
        (
            query_with(
                "time_range",
                json!({"from": FROM, "to": "2026-13-01T00:00:00Z"}),
            ),
            "/query/time_range/to",
            "invalid_time_range",
        ),
        (
            query_with("time_range", json!({"from": FROM, "to": 5})),
            "/query/time_range/to",
            "",
        ),
        (
            query_with("time_range", json!({"from": FROM})),
            "/query/time_range",
            "",
        ),
        (
            query_with("time_range", json!("2026")),
            "/query/time_range",
            "",
        ),
        (
            query_with(
                "time_range",
                json!({"from": "2020-01-01T00:00:00Z", "to": TO}),
            ),
            "/query/time_range",
            "invalid_time_range",
        ),
        (
            query_with("limit", json!(-1)),
            "/query/limit",
            "invalid_limit",
        ),
        (
            query_with("limit", json!(1.5)),
            "/query/limit",
            "invalid_limit",
        ),
        (
            query_with("limit", json!("10")),
            "/query/limit",
            "invalid_limit",
        ),
        (
            query_with("order_by", json!([{}])),
            "/query/order_by/0",
            "invalid_order_by",
        ),
        (
            query_with("order_by", json!([{"dimension": "agent"}])),
            "/query/order_by/0",
            "invalid_order_by",
        ),
        (
            query_with("order_by", json!([{"measure": "total_cost"}])),
            "/query/order_by/0",
            "invalid_order_by",
        ),
        (
            query_with("order_by", json!([{"measure": "status"}])),
            "/query/order_by/0",
            "invalid_order_by",
        ),
        (
            query_with(
                "order_by",
                json!([{"dimension": "status"}, {"dimension": "nope"}]),
            ),
            "/query/order_by/1",
            "invalid_order_by",
        ),
        (
            query_with(
                "order_by",
                json!([{"dimension": "status", "direction": "up"}]),
            ),
            "/query/order_by/0",
            "invalid_order_by",
        ),
        (
            query_with("order_by", json!("status")),
            "/query/order_by",
            "",
        ),
        (
            with(export_of(&by_status()), "format", "xml"),
            "/format",
            "unsupported_format",
        ),
        (
            with(export_of(&by_status()), "format", "CSV"),
            "/format",
            "unsupported_format",
        ),
        (
            with(export_of(&by_status()), "format", "parquet"),
            "/format",
            "unsupported_format",
        ),
        (with(export_of(&by_status()), "format", 5), "/format", ""),
        (unknown_option, "/options", ""),
        (
            with(export_of(&by_status()), "extra", 1),
            "/extra",
            "invalid_request",
        ),
        (
            query_with("extra", json!(1)),
            "/query/extra",
            "invalid_request",
        ),
        (
            query_with("org_id", json!("org_acme")),
            "/query/org_id",
            "invalid_request",
        ),
        (
            query_with("a/b~c", json!(1)),
            "/query/a~1b~0c",
            "invalid_request",
        ),
        (
            query_with("time_range", json!({"from": FROM, "to": TO, "zone": "x"})),
            "/query/time_range/zone",
            "invalid_request",
        ),
        (
            query_with(
                "filters",
                json!([{"field": "status", "op": "eq", "value": "x", "not": true}]),
            ),
            "/query/filters/0/not",
            "invalid_request",
        ),
        (
            query_with(
                "order_by",
                json!([{"dimension": "status", "nulls": "first"}]),
            ),
            "/query/order_by/0/nulls",
            "invalid_request",
        ),
        (json!({"query": []}), "/query", ""),
        (json!({}), "/query", ""),
    ];
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
                code.is_empty() || what == code,
                "expected {code} for {body}, got {found:?}"
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

#[tokio::test]
async fn what_is_no_json_document_is_an_invalid_request() {
    let server = shared();
    let http = server.http();
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"{\"query\":",
        b"{\"query\":{}} trailing",
        b"{'query':{}}",
        b"{\"query\":NaN}",
        b"query=1",
        b"<query/>",
        b"\xff\xfe\x00",
        b"{\"query\":{\"dataset\":\"\xff\"}}",
        b"{\"query\":{\"dataset\":\"\\ud800\"}}",
        b"{\"query\":{\"dataset\":\"line\nbreak\"}}",
        b"{\"query\":{},}",
    ];
    for path in [EXPORT, QUERY] {
        for body in bodies {
            let answer = http.send("POST", path, &[JSON], body.to_vec()).await;
            let shown = String::from_utf8_lossy(body);
            assert_eq!(answer.status, 400, "{shown}: {answer:?}");
            answer.problem(400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_refused() {
    let server = shared();
    let http = server.http();
    for path in [EXPORT, QUERY] {
        for body in ["null", "true", "5", "\"query\"", "[]", "[{}]"] {
            let answer = http.send("POST", path, &[JSON], body).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            answer.any_problem();
        }
    }
}

#[tokio::test]
async fn weird_bodies_are_never_the_servers_fault() {
    let server = shared();
    let http = server.http();
    let deep = |open: &str, close: &str| open.repeat(50_000) + &close.repeat(50_000);
    let mut bodies = vec![
        deep("[", "]"),
        deep("{\"query\":", "}"),
        format!("{{\"query\":{}}}", deep("[", "]")),
        "[".repeat(100_000),
    ];
    let base = all_sessions(10);
    let mut replaced: Vec<(&str, Value)> = Vec::new();
    let numbers = [
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e400",
        "-1e400",
        "1e-400",
        "1E2",
        "1.0",
        "-0",
        "0.0",
        "123456789012345678901234567890.5",
    ];
    for number in numbers {
        let number: Value = serde_json::from_str(number).expect("a JSON number");
        replaced.push(("limit", number.clone()));
        for op in ["eq", "lt"] {
            let filter = json!([{"field": "duration_ms", "op": op, "value": number}]);
            replaced.push(("filters", filter));
            let filter = json!([{"field": "cost", "op": op, "value": number}]);
            replaced.push(("filters", filter));
        }
    }
    for instant in [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "+262143-01-01T00:00:00Z",
        "2026-05-01T00:00:00",
        "2026-05-01",
        "2026-05-01 00:00:00Z",
        "2026-05-01T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-05-01T00:00:00+23:59",
        "2026-05-01T00:00:00.1234567890123Z",
        "",
        "\u{0}",
    ] {
        replaced.push(("time_range", json!({"from": instant, "to": TO})));
        replaced.push(("time_range", json!({"from": FROM, "to": instant})));
        replaced.push((
            "filters",
            json!([{"field": "started_at", "op": "gte", "value": instant}]),
        ));
    }
    for name in [
        "",
        " ",
        "\u{0}",
        "session_id\u{0}",
        "session_id\"",
        "session_id; --",
        "(select 1)",
        "*",
        "rowid",
        "SESSION_ID",
        "сессия",
        "__proto__",
    ] {
        replaced.push(("dimensions", json!([name])));
        replaced.push(("dataset", json!(name)));
        replaced.push(("order_by", json!([{"dimension": name}])));
        replaced.push((
            "filters",
            json!([{"field": name, "op": "eq", "value": name}]),
        ));
    }
    let long = "x".repeat(200_000);
    replaced.push(("dataset", json!(long)));
    replaced.push(("dimensions", json!([long])));
    replaced.push(("dimensions", json!(vec!["session_id"; 5_000])));
    replaced.push((
        "order_by",
        json!(vec![json!({"dimension": "session_id"}); 5_000]),
    ));
    replaced.push((
        "filters",
        json!([{"field": "title", "op": "eq", "value": long}]),
    ));
    let many = vec![json!({"field": "status", "op": "neq", "value": "x"}); 5_000];
    replaced.push(("filters", json!(many)));
    replaced.push(("filters", json!(vec![many[0].clone(); 100])));
    let thousand: Vec<String> = (0..1000).map(|number| format!("value {number}")).collect();
    replaced.push((
        "filters",
        json!([{"field": "title", "op": "in", "value": thousand}]),
    ));
    bodies.extend(
        replaced
            .into_iter()
            .map(|(member, value)| export_of(&with(base.clone(), member, value)).to_string()),
    );
    bodies.push(format!("{{\"query\":{base},\"query\":{base}}}"));
    bodies.push(format!("\u{feff}{{\"query\":{base}}}"));

    for body in bodies {
        let shown: String = body.chars().take(600).collect();
        let answer = http.send("POST", EXPORT, &[JSON], body).await;
        assert!(answer.status < 500, "{shown}: {answer:?}");
        match answer.status {
            200 => drop(answer.report_export()),
            202 => drop(answer.accepted()),
            400 => drop(answer.any_problem()),
            _ => panic!("{shown}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn weird_requests_are_never_the_servers_fault() {
    let server = shared();
    let http = server.http();
    let long = "x".repeat(20_000);
    for target in [
        "/v1/exports?limit=5&limit=6",
        "/v1/exports?limit",
        "/v1/exports?=",
        "/v1/exports?&&&",
        "/v1/exports?cursor=%FF%FE",
        "/v1/exports?cursor=%00",
        "/v1/exports?dataset=%F0%9F%92%A9",
        "/v1/exports?dataset=%27%20OR%201%3D1%20--",
        "/v1/exports?status=queued,completed",
        "/v1//exports",
        "/v1/exports/",
        "//",
        "/%",
        "/%zz",
        "/v1/reports/catalog/",
        "/v1/reports/catalog?unknown=1",
        &format!("/{long}"),
        &format!("/v1/exports?cursor={long}"),
    ] {
        let answer = http.get(target).await;
        assert!(answer.status < 500, "{answer:?}");
        if answer.status >= 400 {
            answer.any_problem();
        }
    }
    for headers in [
        [("x-request-id", long.as_str())],
        [("x-request-id", "a\tb")],
        [("accept", long.as_str())],
        [("accept", ";;;,,,")],
        [("accept", "text/csv;q=abc")],
        [("prefer", long.as_str())],
        [("authorization", "Bearer nonsense")],
        [("if-none-match", long.as_str())],
        [("expect", "the-unexpected")],
    ] {
        let answer = http
            .post_with(EXPORT, &headers, &export_of(&by_status()))
            .await;
        assert!(answer.status < 500, "{headers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let server = shared();
    let http = server.http();
    for path in [
        "/nope",
        "/v1",
        "/v1/",
        "/v1/nope",
        "/v2/exports",
        "/api/v1/nope",
        "/v1/reports",
        "/api",
    ] {
        http.get(path).await.problem(404, "route_not_found");
        http.post(path, &json!({}))
            .await
            .problem(404, "route_not_found");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = shared();
    let http = server.http();
    for (method, path, allowed) in [
        ("GET", QUERY, "POST"),
        ("PUT", QUERY, "POST"),
        ("DELETE", EXPORT, "POST"),
        ("PATCH", EXPORT, "POST"),
        ("POST", "/v1/reports/catalog", "GET"),
        ("POST", "/v1/exports", "GET"),
        (
            "PUT",
            "/v1/exports/export_01930000000070008000000000000000",
            "GET",
        ),
        (
            "POST",
            "/v1/exports/export_01930000000070008000000000000000/download",
            "GET",
        ),
        ("POST", "/livez", "GET"),
        ("BREW", "/api/v1/reports/catalog", "GET"),
    ] {
        let answer = http.send(method, path, &[], "").await.expect(405);
        let allow = answer.has_header("allow").to_owned();
        let mut methods = allow.split(',').map(str::trim);
        assert!(
            methods.any(|method| method == allowed),
            "{method} {path}: Allow: {allow}"
        );
        answer.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = shared();
    let http = server.http();
    let body = " ".repeat(32 * 1024 * 1024);
    for path in [EXPORT, QUERY] {
        // The server may answer and hang up before it has read everything; a client that is still
        // sending then may see only that. Asking again is what it would do.
        let answer = crate::harness::eventually("an answer to a large body", async || {
            http.try_send("POST", path, &[JSON], body.clone())
                .await
                .ok()
        })
        .await;
        answer.problem(413, "payload_too_large");
    }
    // It still answers others.
    http.post(EXPORT, &export_of(&by_status()))
        .await
        .report_export();
}

#[tokio::test]
async fn every_code_that_was_met_has_a_page() {
    let server = shared();
    let http = server.http();
    let mut types = std::collections::BTreeSet::new();
    for answer in [
        http.get("/nope").await,
        http.get("/v1/exports/nope").await,
        http.send("PUT", QUERY, &[], "").await,
        http.send("POST", QUERY, &[JSON], "{").await,
        http.post(QUERY, &json!({})).await,
        http.send("POST", QUERY, &[("content-type", "text/plain")], "x")
            .await,
        http.post_with(EXPORT, &[("accept", "image/png")], &export_of(&by_status()))
            .await,
        http.get("/v1/exports?limit=0").await,
    ] {
        let problem = answer.any_problem();
        let page = problem["type"].as_str().expect("a type").to_owned();
        types.insert((page, problem["code"].as_str().expect("a code").to_owned()));
    }
    assert!(types.len() >= 6, "{types:?}");
    for (page, code) in types {
        let answer = http.get(&page).await.expect(200);
        assert!(answer.media_type().starts_with("text/"), "{answer:?}");
        assert!(answer.text().contains(&code), "{page} explains {code}");
    }
}
