//! The API's own document: that it holds together, that it has every operation with its statuses, and
//! that answers are what it says.

mod answers;
mod document;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::document::{document, operation, resolve, walk};
use crate::harness::server::shared;
use crate::harness::values::text;

/// Every operation with the statuses that it may have.
const OPERATIONS: &str = "
/ get get_start_page 200 500
/docs get get_docs 200 500
/livez get livez 200 500
/metrics get get_metrics 200 500
/openapi.json get get_openapi 200 500
/problems get list_problems 200 500
/problems/{code} get explain_problem 200 404 500
/readyz get readyz 200 500 503
/v1/exports get list_exports 200 400 401 429 500 503
/v1/exports/{id} delete delete_export 204 401 404 429 500 503
/v1/exports/{id} get get_export 200 304 401 404 429 500 503
/v1/exports/{id}/cancel post cancel_export 200 401 404 409 429 500 503
/v1/exports/{id}/download get download_export 307 401 404 409 410 429 500 503
/v1/exports/{id}/events get stream_export_events 200 204 401 404 429 500 503
/v1/operations/status get get_operations_status 200 401 403 406 429 500 503
/v1/reports/catalog get get_report_catalog 200 401 429 500 503
/v1/reports/query post run_report_query 200 400 401 403 406 408 413 415 429 500 503
/v1/reports/query/export post export_report_query 200 202 400 401 403 406 408 413 415 422 429 500 503
";

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
    let schemas = document["components"]["schemas"].as_object();
    for name in schemas.expect("schemas").keys() {
        let reference = format!("schemas/{name}\"");
        assert!(
            document.to_string().contains(&reference),
            "nothing refers to {name}"
        );
    }

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
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            let Some(responses) = operation["responses"].as_object() else {
                continue;
            };
            let mut statuses: Vec<&str> = responses.keys().map(String::as_str).collect();
            statuses.sort_unstable();
            let id = text(&operation["operationId"]);
            found.push(format!("{path} {method} {id} {}", statuses.join(" ")));
        }
    }
    found.sort_unstable();
    assert_eq!(found.join("\n"), OPERATIONS.trim());
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
    let read = operation(&document, "get", "/v1/exports/{id}");
    let one = &read["responses"]["200"]["content"]["application/json"]["schema"];
    let one = resolve(&document, one);
    let members = one["properties"].as_object().expect("properties");
    assert_eq!(
        required(one),
        members.keys().cloned().collect(),
        "every member is always there"
    );
    for bare_file in ["text/csv", "application/x-ndjson"] {
        let content = &export["responses"]["200"]["content"];
        assert!(content[bare_file].is_object(), "{bare_file}: {content}");
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
