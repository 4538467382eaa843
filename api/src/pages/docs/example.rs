//! A curl to paste for an operation. Paths and bodies are those of the document's own examples.

use std::fmt::Write as _;

use serde_json::Value;

use super::json::{elements, text};

/// Returns the command for an operation of a service at `base`.
pub(super) fn curl(base: &str, method: &str, path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    let mut options = String::new();
    if elements(&operation["security"]).next().is_some() {
        options.push_str(" \\\n  -H \"Authorization: Bearer $WAYBILL_KEY\"");
    }
    for parameter in elements(&operation["parameters"]) {
        let (name, example) = (text(&parameter["name"]), text(&parameter["example"]));
        if example.is_empty() {
            continue;
        }
        match text(&parameter["in"]) {
            "path" => path = path.replace(&format!("{{{name}}}"), example),
            "header" if name == "Prefer" => {
                // Writing to a String cannot fail, here and below.
                let _ = write!(options, " \\\n  -H 'Prefer: {example}'");
            }
            _ => {}
        }
    }
    let body = &operation["requestBody"]["content"]["application/json"]["example"];
    if !body.is_null() {
        let body = serde_json::to_string_pretty(body).unwrap_or_default();
        let _ = write!(
            options,
            " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        );
    }
    let responses = &operation["responses"];
    let how = match method {
        "delete" => " -X DELETE",
        "post" if body.is_null() => " -X POST",
        _ if responses.get("307").is_some() => " -L -OJ",
        _ if responses["200"]["content"]
            .get("text/event-stream")
            .is_some() =>
        {
            " -N"
        }
        _ => "",
    };
    format!("curl{how} {base}{path}{options}")
}
