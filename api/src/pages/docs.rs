//! The OpenAPI document as a page for people.
//!
//! Reads the document as JSON, as any reader of it does, and knows nothing of the routes themselves.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::pages::{escape, inline, prose};

/// Stands in the page where the service's base URL goes.
pub(crate) const BASE: &str = "{{base}}";

/// Writes the page's body.
pub(crate) fn render(document: &Value) -> String {
    let mut out = String::from("<div class=\"frame\">");
    navigation(document, &mut out);
    out.push_str("<main>");
    let info = &document["info"];
    let _ = write!(
        out,
        "<h1>{} <span class=\"soft\">{}</span></h1>",
        escape(text(&info["title"])),
        escape(text(&info["version"]))
    );
    prose(text(&info["description"]), &mut out);
    out.push_str("<p>For programs: <a href=\"openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>");
    for tag in tags(document) {
        let name = text(&tag["name"]);
        let _ = write!(out, "<h2>{}</h2>", escape(name));
        prose(text(&tag["description"]), &mut out);
        for operation in operations(document).filter(|operation| operation.has_tag(name)) {
            operation.render(document, &mut out);
        }
    }
    out.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        schema_section(name, schema, &mut out);
    }
    out.push_str("</main></div>");
    out
}

fn navigation(document: &Value, out: &mut String) {
    out.push_str("<nav>");
    for tag in tags(document) {
        let name = text(&tag["name"]);
        let _ = write!(out, "<h4>{}</h4><ul>", escape(name));
        for operation in operations(document).filter(|operation| operation.has_tag(name)) {
            let id = escape(operation.id());
            let _ = write!(out, "<li><a href=\"#{id}\">{id}</a></li>");
        }
        out.push_str("</ul>");
    }
    out.push_str("<h4>Schemas</h4><ul>");
    for (name, _) in members(&document["components"]["schemas"]) {
        let name = escape(name);
        let _ = write!(out, "<li><a href=\"#schema-{name}\">{name}</a></li>");
    }
    out.push_str("</ul></nav>");
}

/// One operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

fn operations(document: &Value) -> impl Iterator<Item = Operation<'_>> {
    members(&document["paths"]).flat_map(|(path, item)| {
        members(item)
            .filter(|(_, value)| value.get("responses").is_some())
            .map(move |(method, value)| Operation {
                method,
                path,
                value,
            })
    })
}

impl Operation<'_> {
    fn id(&self) -> &str {
        text(&self.value["operationId"])
    }

    fn has_tag(&self, name: &str) -> bool {
        elements(&self.value["tags"]).any(|tag| tag == name)
    }

    fn render(&self, document: &Value, out: &mut String) {
        let id = escape(self.id());
        let _ = write!(
            out,
            "<section class=\"operation\" id=\"{id}\"><header><span class=\"method {class}\">{method}</span>\
             <span class=\"path\">{path}</span><span class=\"soft\">{id}</span></header><h3>{summary}</h3>",
            class = escape(self.method),
            method = escape(&self.method.to_uppercase()),
            path = escape(self.path),
            summary = escape(text(&self.value["summary"])),
        );
        prose(text(&self.value["description"]), out);
        self.parameters(out);
        self.request_body(document, out);
        self.example(out);
        self.responses(document, out);
        out.push_str("</section>");
    }

    fn parameters(&self, out: &mut String) {
        let mut parameters = elements(&self.value["parameters"]).peekable();
        if parameters.peek().is_none() {
            return;
        }
        out.push_str("<h4>Parameters</h4><table>");
        for parameter in parameters {
            let _ = write!(
                out,
                "<tr><th><code>{name}</code>{required}<br><span class=\"soft\">{place}</span></th><td><span class=\"soft\">{kind}</span> ",
                name = escape(text(&parameter["name"])),
                required = required(parameter["required"] == true),
                place = escape(text(&parameter["in"])),
                kind = type_of(&parameter["schema"]),
            );
            prose(text(&parameter["description"]), out);
            out.push_str("</td></tr>");
        }
        out.push_str("</table>");
    }

    fn request_body(&self, document: &Value, out: &mut String) {
        for (media_type, content) in members(&self.value["requestBody"]["content"]) {
            let _ = write!(
                out,
                "<h4>Request body</h4><p>{} as <code>{}</code></p>",
                type_of(&content["schema"]),
                escape(media_type)
            );
            properties(resolved(document, &content["schema"]), out);
        }
    }

    /// A curl to paste. Paths and bodies are those of the document's own examples.
    fn example(&self, out: &mut String) {
        let mut path = self.path.to_owned();
        let mut options = String::new();
        if elements(&self.value["security"]).next().is_some() {
            options.push_str(" \\\n  -H \"Authorization: Bearer $WAYBILL_KEY\"");
        }
        for parameter in elements(&self.value["parameters"]) {
            let (name, example) = (text(&parameter["name"]), text(&parameter["example"]));
            if example.is_empty() {
                continue;
            }
            match text(&parameter["in"]) {
                "path" => path = path.replace(&format!("{{{name}}}"), example),
                "header" if name == "Prefer" => {
                    let _ = write!(options, " \\\n  -H 'Prefer: {example}'");
                }
                _ => {}
            }
        }
        let body = &self.value["requestBody"]["content"]["application/json"]["example"];
        if !body.is_null() {
            let body = serde_json::to_string_pretty(body).unwrap_or_default();
            let _ = write!(
                options,
                " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
            );
        }
        let responses = &self.value["responses"];
        let how = match self.method {
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
        let command = format!("curl{how} {BASE}{path}{options}");
        let _ = write!(
            out,
            "<h4>Example</h4><pre><code>{}</code></pre>",
            escape(&command)
        );
    }

    fn responses(&self, document: &Value, out: &mut String) {
        out.push_str("<h4>Answers</h4><table>");
        for (status, response) in members(&self.value["responses"]) {
            let kind = match status.as_bytes().first() {
                Some(b'2' | b'3') => "ok",
                Some(b'4') => "refused",
                _ => "failed",
            };
            let _ = write!(
                out,
                "<tr><th><span class=\"status {kind}\">{}</span></th><td>",
                escape(status)
            );
            for paragraph in text(&response["description"]).split("\n\n") {
                let _ = write!(out, "<div>{}</div>", inline(paragraph));
            }
            for (media_type, content) in members(&response["content"]) {
                let _ = write!(
                    out,
                    "<div class=\"soft\">{} as <code>{}</code></div>",
                    type_of(&content["schema"]),
                    escape(media_type)
                );
            }
            for (name, header) in members(&response["headers"]) {
                let _ = write!(
                    out,
                    "<div class=\"soft\"><code>{}</code> {}</div>",
                    escape(name),
                    inline(text(&header["description"]))
                );
            }
            for (media_type, content) in members(&response["content"]) {
                let schema = resolved(document, &content["schema"]);
                // A problem has the same members everywhere.
                if schema.get("properties").is_some() && !media_type.contains("problem") {
                    out.push_str("<details><summary>Members</summary>");
                    properties(schema, out);
                    out.push_str("</details>");
                }
            }
            out.push_str("</td></tr>");
        }
        out.push_str("</table>");
    }
}

fn schema_section(name: &str, schema: &Value, out: &mut String) {
    let name = escape(name);
    let _ = write!(
        out,
        "<section class=\"operation\" id=\"schema-{name}\"><header><h3>{name}</h3>"
    );
    if schema.get("properties").is_none() {
        let _ = write!(out, "<span class=\"soft\">{}</span>", type_of(schema));
    }
    out.push_str("</header>");
    prose(text(&schema["description"]), out);
    properties(schema, out);
    for variant in elements(&schema["oneOf"]) {
        let value = elements(&variant["enum"]).map(ToString::to_string).next();
        if let (Some(value), Some(description)) = (value, variant["description"].as_str()) {
            let _ = write!(
                out,
                "<p><code>{}</code> {}</p>",
                escape(&value),
                inline(description)
            );
        }
    }
    out.push_str("</section>");
}

/// The members of an object as a table; nothing for any other schema.
fn properties(schema: &Value, out: &mut String) {
    let mut properties = members(&schema["properties"]).peekable();
    if properties.peek().is_none() {
        return;
    }
    out.push_str("<table>");
    for (property, described) in properties {
        let needed = elements(&schema["required"]).any(|needed| needed == property);
        let _ = write!(
            out,
            "<tr><th><code>{}</code>{}</th><td><span class=\"soft\">{}</span> ",
            escape(property),
            required(needed),
            type_of(described)
        );
        prose(description(described), out);
        out.push_str("</td></tr>");
    }
    out.push_str("</table>");
}

/// A property's description, which stands with the reference where the property may be null.
fn description(property: &Value) -> &str {
    let of_reference = || elements(&property["oneOf"]).find_map(|one| one["description"].as_str());
    let own = property["description"].as_str();
    own.or_else(of_reference).unwrap_or_default()
}

/// A schema, or the one that it refers to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|path| document.pointer(path.strip_prefix('#')?))
        .unwrap_or(schema)
}

fn required(required: bool) -> &'static str {
    if required {
        " <span class=\"required\">required</span>"
    } else {
        ""
    }
}

/// A schema in a few words, as HTML; a named one as a link.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let alternatives: Vec<String> = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .flat_map(|key| elements(&schema[key]))
        .map(type_of)
        .collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    let values: Vec<String> = elements(&schema["enum"])
        .map(|value| format!("<code>{}</code>", escape(&value.to_string())))
        .collect();
    if !values.is_empty() {
        return values.join(" ");
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::String(kind) => vec![named(kind, schema)],
        Value::Array(kinds) => kinds.iter().map(|kind| named(text(kind), schema)).collect(),
        _ => vec!["any value".to_owned()],
    };
    kinds.join(" or ")
}

fn named(kind: &str, schema: &Value) -> String {
    match (kind, schema["format"].as_str()) {
        ("array", _) => format!("array of {}", type_of(&schema["items"])),
        ("null", _) | (_, None) => escape(kind),
        (kind, Some(format)) => format!("{} ({})", escape(kind), escape(format)),
    }
}

fn tags(document: &Value) -> impl Iterator<Item = &Value> {
    elements(&document["tags"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flat_map(Map::iter)
        .map(|(name, value)| (name.as_str(), value))
}
