//! The API's own document: that it holds together, that it has every operation with its statuses, and
//! that answers are what it says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::harness::http::{Answer, EXPORT, JSON, QUERY, RESPOND_ASYNC, text};
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;
use crate::harness::slow::{SlowSource, rows_of};

/// Every operation of the reports and exports, and the statuses that the contract gives it.
const OPERATIONS: [(&str, &str, &str, &[&str]); 9] = [
    (
        "get_report_catalog",
        "get",
        "/v1/reports/catalog",
        &["200", "401", "429"],
    ),
    (
        "run_report_query",
        "post",
        "/v1/reports/query",
        &[
            "200", "400", "401", "403", "408", "413", "415", "429", "503",
        ],
    ),
    (
        "export_report_query",
        "post",
        "/v1/reports/query/export",
        &[
            "200", "202", "400", "401", "403", "406", "408", "413", "415", "429", "503",
        ],
    ),
    (
        "list_exports",
        "get",
        "/v1/exports",
        &["200", "400", "401", "429"],
    ),
    (
        "get_export",
        "get",
        "/v1/exports/{id}",
        &["200", "304", "401", "404", "429"],
    ),
    (
        "download_export",
        "get",
        "/v1/exports/{id}/download",
        &["307", "401", "404", "409", "410", "429"],
    ),
    (
        "cancel_export",
        "post",
        "/v1/exports/{id}/cancel",
        &["200", "401", "404", "409", "429", "503"],
    ),
    (
        "delete_export",
        "delete",
        "/v1/exports/{id}",
        &["204", "401", "404", "429", "503"],
    ),
    (
        "stream_export_events",
        "get",
        "/v1/exports/{id}/events",
        &["200", "401", "404", "429", "503"],
    ),
];

async fn document() -> Value {
    let answer = shared().http().get("/openapi.json").await.expect(200);
    assert_eq!(answer.media_type(), "application/json");
    answer.json()
}

/// The path item of a path, whatever its parameters are called.
fn path_item<'a>(document: &'a Value, path: &str) -> &'a Value {
    let shape = |path: &str| -> Vec<String> {
        path.split('/')
            .map(|part| if part.starts_with('{') { "{}" } else { part }.to_owned())
            .collect()
    };
    let paths = document["paths"].as_object().expect("paths");
    let found = paths.iter().find(|(known, _)| shape(known) == shape(path));
    found
        .map(|(_, item)| item)
        .unwrap_or_else(|| panic!("no path {path} in {:?}", paths.keys()))
}

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let operation = &path_item(document, path)[method];
    assert!(operation.is_object(), "no {method} {path}");
    operation
}

fn resolve<'a>(document: &'a Value, mut node: &'a Value) -> &'a Value {
    while let Some(reference) = node["$ref"].as_str() {
        let pointer = reference
            .strip_prefix('#')
            .expect("references stay within the document");
        node = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"));
    }
    node
}

fn walk(node: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match node {
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| walk(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_holds_together() {
    let document = document().await;
    assert!(
        text(&document["openapi"]).starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = 0;
    walk(&document, &mut |members| {
        if let Some(reference) = members.get("$ref") {
            references += 1;
            resolve(&document, &json!({ "$ref": reference }));
        }
    });
    assert!(references > 10, "{references} references");

    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "put", "post", "delete", "patch"] {
            let operation = &item[method];
            if operation.is_null() {
                continue;
            }
            let id = text(&operation["operationId"]);
            assert!(ids.insert(id.clone()), "{id} stands twice");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(!responses.is_empty(), "{method} {path} has no answer");
            for (status, response) in responses {
                let response = resolve(&document, response);
                assert!(
                    response["description"].is_string(),
                    "{method} {path} {status}"
                );
                if status.starts_with(['4', '5']) && id != "readyz" {
                    let content = &response["content"]["application/problem+json"]["schema"];
                    assert!(
                        content.is_object(),
                        "{method} {path} {status} is no problem"
                    );
                }
            }
            // Each parameter of the path is described.
            let described: Vec<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .chain(item["parameters"].as_array())
                .flatten()
                .map(|parameter| resolve(&document, parameter))
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let name = name.trim_end_matches('}');
                assert!(described.contains(&name), "{name} of {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_operation_is_described_with_its_statuses() {
    let document = document().await;
    for (id, method, path, statuses) in OPERATIONS {
        let operation = operation(&document, method, path);
        assert_eq!(operation["operationId"], id, "{method} {path}");
        for status in statuses {
            assert!(
                operation["responses"][status].is_object(),
                "{id} has no {status}"
            );
        }
    }
    for path in ["/livez", "/readyz"] {
        assert!(operation(&document, "get", path)["responses"]["200"].is_object());
    }
    assert!(operation(&document, "get", "/readyz")["responses"]["503"].is_object());
}

#[tokio::test]
async fn the_schemas_require_what_the_published_document_requires() {
    let document = document().await;
    let export = operation(&document, "post", "/v1/reports/query/export");
    let request = &export["requestBody"]["content"]["application/json"]["schema"];
    let request = resolve(&document, request);
    let query = resolve(&document, &request["properties"]["query"]);
    let answer = &export["responses"]["200"]["content"]["application/json"]["schema"];
    let answer = resolve(&document, answer);
    let problem = &export["responses"]["400"];
    let problem = &resolve(&document, problem)["content"]["application/problem+json"]["schema"];
    let problem = resolve(&document, problem);
    let mut action = resolve(&document, &problem["properties"]["allowed_actions"]);
    action = resolve(&document, &action["items"]);

    let required = |schema: &Value| -> BTreeSet<String> {
        schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect()
    };
    assert_eq!(
        required(request),
        ["query".to_owned()].into(),
        "{request:#}"
    );
    let two = ["dataset".to_owned(), "time_range".to_owned()];
    assert_eq!(required(query), two.into(), "{query:#}");
    for member in ["format", "filename", "content_type", "content", "as_of"] {
        assert!(required(answer).contains(member), "{member} of {answer:#}");
    }
    for member in ["title", "status"] {
        assert!(
            required(problem).contains(member),
            "{member} of {problem:#}"
        );
    }
    assert_eq!(required(action), ["rel".to_owned()].into(), "{action:#}");
    assert!(
        export["responses"]["200"]["content"]["text/csv"].is_object(),
        "the bare file"
    );
}

/// Everything in which a value is not what its schema says.
fn mismatches(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolve(document, schema);
    let Some(rules) = schema.as_object() else {
        return Vec::new();
    };
    for any in ["oneOf", "anyOf"] {
        if let Some(choices) = rules.get(any).and_then(Value::as_array) {
            let tried: Vec<Vec<String>> = choices
                .iter()
                .map(|choice| mismatches(document, choice, value, at))
                .collect();
            if !tried.iter().any(Vec::is_empty) {
                return vec![format!("{at}: none of {any}: {tried:?}")];
            }
        }
    }
    let mut found = Vec::new();
    for part in rules
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        found.extend(mismatches(document, part, value, at));
    }
    if let Some(types) = rules.get("type") {
        let is = |name: &Value| match name.as_str() {
            Some("null") => value.is_null(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_i64() || value.is_u64(),
            other => panic!("{at}: type {other:?} in the document"),
        };
        let fits = types
            .as_array()
            .map_or_else(|| is(types), |types| types.iter().any(is));
        if !fits {
            return vec![format!("{at}: {value} is no {types}")];
        }
    }
    if let Some(choices) = rules.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        found.push(format!("{at}: {value} is none of {choices:?}"));
    }
    if let Some(constant) = rules.get("const")
        && constant != value
    {
        found.push(format!("{at}: {value} is not {constant}"));
    }
    if let (Some(members), Some(known)) = (value.as_object(), rules.get("properties")) {
        for name in rules
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if !members.contains_key(name.as_str().expect("a name")) {
                found.push(format!("{at}: no {name}"));
            }
        }
        for (name, member) in members {
            match known.get(name) {
                Some(schema) => {
                    found.extend(mismatches(
                        document,
                        schema,
                        member,
                        &format!("{at}/{name}"),
                    ));
                }
                None if rules
                    .get("additionalProperties")
                    .is_some_and(Value::is_object) => {}
                None => found.push(format!("{at}: {name} is not in the schema")),
            }
        }
    }
    if let (Some(items), Some(schema)) = (value.as_array(), rules.get("items")) {
        for (index, item) in items.iter().enumerate() {
            found.extend(mismatches(document, schema, item, &format!("{at}/{index}")));
        }
    }
    found
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let document = document().await;
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let one = format!("/v1/exports/{id}");
    let etag = http.get(&one).await.has_header("etag").to_owned();
    let source = SlowSource::new();
    let busy_server = source.launch().start();
    let busy = busy_server.http();
    let unwanted = text(&busy.submit(&export_of(&rows_of("endless"))).await["id"]);
    let csv = [("accept", "text/csv")];
    let png = [("accept", "image/png")];
    let body = export_of(&by_status());
    let get = |operation, answer: Answer| ("get", operation, answer);
    let post = |operation, answer: Answer| ("post", operation, answer);
    let answers = vec![
        get(
            "/v1/reports/catalog",
            http.get("/v1/reports/catalog").await.expect(200),
        ),
        post(QUERY, http.post(QUERY, &by_status()).await.expect(200)),
        post(QUERY, http.post(QUERY, &json!({})).await.expect(400)),
        post(QUERY, http.send("POST", QUERY, &[], "{}").await.expect(415)),
        post(EXPORT, http.post(EXPORT, &body).await.expect(200)),
        post(
            EXPORT,
            http.post_with(EXPORT, &csv, &body).await.expect(200),
        ),
        post(
            EXPORT,
            http.post_with(EXPORT, &[RESPOND_ASYNC], &body)
                .await
                .expect(202),
        ),
        post(
            EXPORT,
            http.post(EXPORT, &export_of(&all_sessions(Value::Null)))
                .await
                .expect(202),
        ),
        post(
            EXPORT,
            http.post(EXPORT, &json!({"query": {}, "x": 1}))
                .await
                .expect(400),
        ),
        post(
            EXPORT,
            http.send("POST", EXPORT, &[JSON], "{").await.expect(400),
        ),
        post(
            EXPORT,
            http.post_with(EXPORT, &png, &body).await.expect(406),
        ),
        get("/v1/exports", http.get("/v1/exports").await.expect(200)),
        get(
            "/v1/exports",
            http.get("/v1/exports?limit=0").await.expect(400),
        ),
        get("/v1/exports/{id}", http.get(&one).await.expect(200)),
        get(
            "/v1/exports/{id}",
            http.get_with(&one, &[("if-none-match", &etag)])
                .await
                .expect(304),
        ),
        get(
            "/v1/exports/{id}",
            http.get("/v1/exports/nope").await.expect(404),
        ),
        get(
            "/v1/exports/{id}/download",
            http.get(&format!("{one}/download")).await.expect(307),
        ),
        get(
            "/v1/exports/{id}/download",
            http.get("/v1/exports/nope/download").await.expect(404),
        ),
        get(
            "/v1/exports/{id}/events",
            http.get(&format!("{one}/events")).await.expect(200),
        ),
        get(
            "/v1/exports/{id}/events",
            http.get("/v1/exports/nope/events").await.expect(404),
        ),
        post(
            "/v1/exports/{id}/cancel",
            busy.cancel(&unwanted).await.expect(200),
        ),
        post(
            "/v1/exports/{id}/cancel",
            http.cancel(&id).await.expect(409),
        ),
        post(
            "/v1/exports/{id}/cancel",
            http.cancel("nope").await.expect(404),
        ),
        (
            "delete",
            "/v1/exports/{id}",
            busy.delete(&unwanted).await.expect(204),
        ),
        (
            "delete",
            "/v1/exports/{id}",
            busy.delete(&unwanted).await.expect(404),
        ),
        get("/livez", http.get("/livez").await.expect(200)),
        get("/readyz", http.get("/readyz").await.expect(200)),
    ];
    for (method, path, answer) in answers {
        let status = answer.status.to_string();
        let response = &operation(&document, method, path)["responses"][&status];
        assert!(
            response.is_object(),
            "{method} {path} {status} is not in the document"
        );
        let response = resolve(&document, response);
        let Some(described) = response["content"].as_object() else {
            assert!(
                answer.body.is_empty() || path.ends_with('z'),
                "an undescribed body: {answer:?}"
            );
            continue;
        };
        let content = described
            .iter()
            .find(|(name, _)| name.split(';').next() == Some(answer.media_type()));
        let Some((media_type, content)) = content else {
            panic!("the document has {:?} for {answer:?}", described.keys());
        };
        if media_type.contains("json") {
            let found = mismatches(&document, &content["schema"], &answer.json(), "");
            assert!(found.is_empty(), "{found:#?}\nin {answer:?}");
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let required = resolve(&document, header)["required"] == true;
            assert!(
                !required || answer.header(name).is_some(),
                "no {name} in {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_may_be_left_out_stays_optional_in_generated_types() {
    let document = document().await;
    // Generators make a member that has a default one that is always there.
    walk(&document["components"]["schemas"], &mut |members| {
        assert!(!members.contains_key("default"), "{members:?}");
    });
    let limit = &document["components"]["schemas"]["ReportQuery"]["properties"]["limit"];
    assert_eq!(limit["minimum"], 0, "{limit}");
}

#[tokio::test]
async fn events_and_cursors_are_described() {
    let document = document().await;
    let events = operation(&document, "get", "/v1/exports/{id}/events");
    let stream = &events["responses"]["200"]["content"]["text/event-stream"]["schema"];
    let stream = resolve(&document, stream);
    assert_eq!(stream["contentMediaType"], "text/event-stream", "{stream}");
    let event = &stream["x-event"];
    assert_eq!(event["event"]["const"], "export", "{stream}");
    assert_eq!(resolve(&document, &event["data"])["type"], "object");

    let list = operation(&document, "get", "/v1/exports");
    let parameters = list["parameters"].as_array().expect("parameters");
    let cursor = parameters.iter().find(|found| found["name"] == "cursor");
    let cursor = cursor.expect("a cursor");
    assert_eq!(cursor["schema"]["minLength"], 1, "{cursor}");
    let http = shared().http();
    let empty = http.get("/v1/exports?cursor=").await;
    empty.problem(400, "invalid_request");
}
