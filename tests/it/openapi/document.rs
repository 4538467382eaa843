//! The document, read as its readers do: references followed, values held against their schemas.

use serde_json::{Map, Value};

use crate::harness::server::shared;

pub(super) async fn document() -> Value {
    let answer = shared().http().get("/openapi.json").await.expect(200);
    assert_eq!(answer.media_type(), "application/json");
    answer.json()
}

/// The path item of a path, whatever its parameters are called.
pub(super) fn path_item<'a>(document: &'a Value, path: &str) -> &'a Value {
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

pub(super) fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let operation = &path_item(document, path)[method];
    assert!(operation.is_object(), "no {method} {path}");
    operation
}

pub(super) fn resolve<'a>(document: &'a Value, mut node: &'a Value) -> &'a Value {
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

pub(super) fn walk(node: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match node {
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| walk(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Everything in which a value is not what its schema says.
pub(super) fn mismatches(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
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
