//! The OpenAPI document as a page for people.
//!
//! Reads the document as JSON, as any reader of it does, and knows nothing of the routes themselves.

mod example;
mod json;
mod schema;

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use self::json::{elements, members, text};
use super::prose::{inline, prose};

/// Stands in the page where the service's base URL goes.
const BASE: &str = "{{base}}";

/// Returns the page's body, for [`with_base`].
pub(crate) fn body(document: &Value) -> Markup {
    let info = &document["info"];
    html! {
        div class="frame" {
            (navigation(document))
            main {
                h1 { (text(&info["title"])) " " span class="soft" { (text(&info["version"])) } }
                (prose(text(&info["description"])))
                p { "For programs: " a href="openapi.json" { "openapi.json" } " (OpenAPI 3.1)." }
                @for tag in elements(&document["tags"]) {
                    h2 { (text(&tag["name"])) }
                    (prose(text(&tag["description"])))
                    @for operation in operations(document, text(&tag["name"])) {
                        (operation.section(document))
                    }
                }
                h2 id="schemas" { "Schemas" }
                @for (name, schema) in members(&document["components"]["schemas"]) {
                    (schema::section(name, schema))
                }
            }
        }
    }
}

/// Returns a page's body with examples that begin with `base`.
pub(crate) fn with_base(body: &str, base: &str) -> Markup {
    PreEscaped(body.replace(BASE, &html! { (base) }.into_string()))
}

fn navigation(document: &Value) -> Markup {
    html! {
        nav {
            @for tag in elements(&document["tags"]) {
                h4 { (text(&tag["name"])) }
                ul {
                    @for operation in operations(document, text(&tag["name"])) {
                        li { a href={ "#" (operation.id()) } { (operation.id()) } }
                    }
                }
            }
            h4 { "Schemas" }
            ul {
                @for (name, _) in members(&document["components"]["schemas"]) {
                    li { a href={ "#schema-" (name) } { (name) } }
                }
            }
        }
    }
}

/// One operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

/// Returns the operations under this tag.
fn operations<'a>(document: &'a Value, tag: &'a str) -> impl Iterator<Item = Operation<'a>> {
    members(&document["paths"]).flat_map(move |(path, item)| {
        members(item)
            .filter(move |(_, value)| elements(&value["tags"]).any(|stated| stated == tag))
            .map(move |(method, value)| Operation {
                method,
                path,
                value,
            })
    })
}

impl<'a> Operation<'a> {
    fn id(&self) -> &'a str {
        text(&self.value["operationId"])
    }

    fn section(&self, document: &Value) -> Markup {
        html! {
            section class="operation" id=(self.id()) {
                header {
                    span class={ "method " (self.method) } { (self.method.to_uppercase()) }
                    span class="path" { (self.path) }
                    span class="soft" { (self.id()) }
                }
                h3 { (text(&self.value["summary"])) }
                (prose(text(&self.value["description"])))
                (self.parameters())
                (self.request_body(document))
                h4 { "Example" }
                pre { code { (example::curl(BASE, self.method, self.path, self.value)) } }
                h4 { "Answers" }
                table {
                    @for (status, response) in members(&self.value["responses"]) {
                        tr {
                            th { span class={ "status " (kind(status)) } { (status) } }
                            td { (answer(document, response)) }
                        }
                    }
                }
            }
        }
    }

    fn parameters(&self) -> Markup {
        let mut parameters = elements(&self.value["parameters"]).peekable();
        html! {
            @if parameters.peek().is_some() {
                h4 { "Parameters" }
                table {
                    @for parameter in parameters {
                        tr {
                            th {
                                code { (text(&parameter["name"])) }
                                (schema::required(parameter["required"] == true))
                                br;
                                span class="soft" { (text(&parameter["in"])) }
                            }
                            td {
                                span class="soft" { (schema::type_of(&parameter["schema"])) }
                                " "
                                (prose(text(&parameter["description"])))
                            }
                        }
                    }
                }
            }
        }
    }

    fn request_body(&self, document: &Value) -> Markup {
        html! {
            @for (media_type, content) in members(&self.value["requestBody"]["content"]) {
                h4 { "Request body" }
                p { (schema::type_of(&content["schema"])) " as " code { (media_type) } }
                (schema::properties(schema::resolved(document, &content["schema"])))
            }
        }
    }
}

/// Returns the class of a status, by which it has its colour.
fn kind(status: &str) -> &'static str {
    match status.as_bytes().first() {
        Some(b'2' | b'3') => "ok",
        Some(b'4') => "refused",
        _ => "failed",
    }
}

fn answer(document: &Value, response: &Value) -> Markup {
    html! {
        @for paragraph in text(&response["description"]).split("\n\n") {
            div { (inline(paragraph)) }
        }
        @for (media_type, content) in members(&response["content"]) {
            div class="soft" { (schema::type_of(&content["schema"])) " as " code { (media_type) } }
        }
        @for (name, header) in members(&response["headers"]) {
            div class="soft" { code { (name) } " " (inline(text(&header["description"]))) }
        }
        @for (media_type, content) in members(&response["content"]) {
            @let schema = schema::resolved(document, &content["schema"]);
            // A problem has the same members everywhere.
            @if schema.get("properties").is_some() && !media_type.contains("problem") {
                details {
                    summary { "Members" }
                    (schema::properties(schema))
                }
            }
        }
    }
}
