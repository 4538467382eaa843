//! Schemas of the document: in a few words, and with their members.

use maud::{Markup, html};
use serde_json::Value;

use super::super::prose::{inline, prose};
use super::json::{elements, members, text};

/// Returns what is said of a named schema.
pub(super) fn section(name: &str, schema: &Value) -> Markup {
    html! {
        section class="operation" id={ "schema-" (name) } {
            header {
                h3 { (name) }
                @if schema.get("properties").is_none() {
                    span class="soft" { (type_of(schema)) }
                }
            }
            (prose(text(&schema["description"])))
            (properties(schema))
            @for variant in elements(&schema["oneOf"]) {
                @let value = elements(&variant["enum"]).map(ToString::to_string).next();
                @if let (Some(value), Some(description)) = (value, variant["description"].as_str()) {
                    p { code { (value) } " " (inline(description)) }
                }
            }
        }
    }
}

/// Returns the members of an object as a table; nothing for any other schema.
pub(super) fn properties(schema: &Value) -> Markup {
    let mut properties = members(&schema["properties"]).peekable();
    html! {
        @if properties.peek().is_some() {
            table {
                @for (property, described) in properties {
                    tr {
                        th {
                            code { (property) }
                            (required(elements(&schema["required"]).any(|needed| needed == property)))
                        }
                        td {
                            span class="soft" { (type_of(described)) }
                            " "
                            (prose(description(described)))
                        }
                    }
                }
            }
        }
    }
}

/// Returns the mark of what must be there.
pub(super) fn required(required: bool) -> Markup {
    html! { @if required { " " span class="required" { "required" } } }
}

/// Returns a schema, or the one that it refers to.
pub(super) fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|path| document.pointer(path.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// Returns a schema in a few words; a named one as a link.
pub(super) fn type_of(schema: &Value) -> Markup {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    if let Some(name) = name {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    let alternatives: Vec<Markup> = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .flat_map(|key| elements(&schema[key]))
        .map(type_of)
        .collect();
    if !alternatives.is_empty() {
        return joined(&alternatives, " or ");
    }
    let values: Vec<Markup> = elements(&schema["enum"])
        .map(|value| html! { code { (value.to_string()) } })
        .collect();
    if !values.is_empty() {
        return joined(&values, " ");
    }
    let kinds: Vec<Markup> = match &schema["type"] {
        Value::String(kind) => vec![named(kind, schema)],
        Value::Array(kinds) => kinds.iter().map(|kind| named(text(kind), schema)).collect(),
        _ => vec![html! { "any value" }],
    };
    joined(&kinds, " or ")
}

fn named(kind: &str, schema: &Value) -> Markup {
    match (kind, schema["format"].as_str()) {
        ("array", _) => html! { "array of " (type_of(&schema["items"])) },
        ("null", _) | (_, None) => html! { (kind) },
        (kind, Some(format)) => html! { (kind) " (" (format) ")" },
    }
}

fn joined(parts: &[Markup], separator: &str) -> Markup {
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index > 0 { (separator) }
            (part)
        }
    }
}

/// Returns a property's description, which stands with the reference where the property may be null.
fn description(property: &Value) -> &str {
    let of_reference = || elements(&property["oneOf"]).find_map(|one| one["description"].as_str());
    let own = property["description"].as_str();
    own.or_else(of_reference).unwrap_or_default()
}
