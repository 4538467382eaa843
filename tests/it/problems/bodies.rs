//! Bodies that are no request: whatever they are, it is never the server's fault.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{EXPORT, JSON, QUERY};
use crate::harness::reports::{FROM, TO, all_sessions, by_status, export_of, with};
use crate::harness::server::shared;

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
async fn a_body_that_is_too_large_is_refused() {
    let server = shared();
    let http = server.http();
    let body = " ".repeat(32 * 1024 * 1024);
    for path in [EXPORT, QUERY] {
        // The server may answer and hang up before it has read everything; a client that is still
        // sending then may see only that. Asking again is what it would do.
        let answer = eventually("an answer to a large body", async || {
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
