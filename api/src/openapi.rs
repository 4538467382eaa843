//! The OpenAPI document: what of it is not said at a route, and how it is published.
//!
//! Routes describe themselves where their handlers are, and [`problems!`] lists the codes that each can
//! give; statuses and texts of those come from the table of codes. So the document cannot say another
//! status than the service.

pub(crate) mod operations;
pub(crate) mod published;

use std::collections::BTreeMap;

use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Header, Object, Ref, RefOr, Server, ServerBuilder, Type};
use waybill_report::encode::Format;

use crate::problem::code::ProblemCode;
use crate::problem::document::{ErrorResponse, MEDIA_TYPE};

/// Declares the problems of an operation, for its `responses`.
macro_rules! problems {
    ($name:ident: $($code:ident),+ $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
            > {
                crate::openapi::problem_responses(&[$(crate::problem::code::ProblemCode::$code),+])
            }
        }
    };
}
pub(crate) use problems;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waybill",
        description = "Exports the results of database queries: small ones at once, large ones as jobs whose files are downloaded from object storage.\n\nEvery answer that is neither 2xx nor 3xx is a problem document (`application/problem+json`, RFC 9457) with a stable `code`; its `type` leads to a page that explains it. Besides those listed with an operation there are some that belong to none: 404 `route_not_found` for an unknown path; 405 `method_not_allowed`, with an `Allow` header, for a path that exists with other methods; 414 `uri_too_long` for a path and query of more than 8 KiB; 431 `headers_too_large` for headers of more than 32 KiB; 400 `invalid_request` for control characters in path or query, and for a request that is not addressed to one host; where no keys are asked for, 421 `misdirected_request` for a host that is not the service's, and 403 `cross_site` for a page of another site.\n\nEvery answer has an `x-request-id` header: the request's own, if it has one of at most 128 visible ASCII characters, or a new one. Times are RFC 3339 in UTC. Unknown or repeated members of a request body and unknown query parameters are errors."
    ),
    tags(
        (name = "Reports", description = "What can be asked, and asking it."),
        (name = "Exports", description = "Results that are made by jobs."),
        (name = "Operations", description = "Health and documentation."),
    ),
    components(schemas(ErrorResponse))
)]
struct Base;

/// Returns the document before any route is in it.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Base::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.contact = None;
    document.info.license = None;
    document.servers = Some(vec![
        server("/", "Every route."),
        server(
            "/api",
            "For clients whose base URL ends in `/api`: the routes under `/v1`.",
        ),
    ]);
    document
}

fn server(url: &str, description: &str) -> Server {
    ServerBuilder::new()
        .url(url)
        .description(Some(description))
        .build()
}

/// The name of the security scheme.
const KEY: &str = "api_key";

/// Says of every operation so far what it answers without a key, or to one that calls too often.
pub(crate) fn answer_to_keys(document: &mut utoipa::openapi::OpenApi) {
    let needed = problem_responses(&[ProblemCode::Unauthorized, ProblemCode::RateLimited]);
    for operation in operations(document) {
        for (status, answer) in &needed {
            add_answer(&mut operation.responses.responses, status, answer);
        }
    }
}

/// Says of every operation so far that it takes a key.
pub(crate) fn require_key(document: &mut utoipa::openapi::OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An API key. It says for which organisation it asks, in which role, and which datasets it may use.",
        ));
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(KEY, SecurityScheme::Http(scheme.build()));
    for operation in operations(document) {
        operation.security = Some(vec![SecurityRequirement::new(KEY, [""; 0])]);
    }
}

fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items.flat_map(|item| {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        operations.into_iter().flatten()
    })
}

/// Adds an answer; one of the same status that is there already then stands for both.
fn add_answer(answers: &mut Answers, status: &str, answer: &RefOr<Response>) {
    match (answers.get_mut(status), answer) {
        (Some(RefOr::T(known)), RefOr::T(answer)) => {
            known.description = format!("{}\n\n{}", answer.description, known.description);
        }
        _ => {
            answers.insert(status.to_owned(), answer.clone());
        }
    }
}

/// Says of the answers of an operation that may be a bare file which media types that can have.
pub(crate) fn name_file_types(document: &mut utoipa::openapi::OpenApi, operation_id: &str) {
    for operation in operations(document) {
        if operation.operation_id.as_deref() != Some(operation_id) {
            continue;
        }
        let Some(RefOr::T(file)) = operation.responses.responses.get_mut("200") else {
            continue;
        };
        for format in Format::ALL.iter().map(|format| format.spec()) {
            let schema = format.is_text.then(|| Object::with_type(Type::String));
            let types = &mut file.content;
            types
                .entry(format.media_type.to_owned())
                .or_insert_with(|| ContentBuilder::new().schema(schema).into());
        }
    }
}

/// Says of every route that is not under `/v1` that it is served at one place only.
pub(crate) fn name_servers(document: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if !path.starts_with("/v1/") {
            item.servers = Some(vec![server("/", "Only here.")]);
        }
    }
}

/// Answers by their status.
type Answers = BTreeMap<String, RefOr<Response>>;

/// Returns the answers for problems of these codes.
pub(crate) fn problem_responses(codes: &[ProblemCode]) -> Answers {
    let mut by_status: BTreeMap<String, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes {
        let status = code.status().as_str().to_owned();
        by_status.entry(status).or_default().push(*code);
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status, RefOr::T(problem_response(&codes))))
        .collect()
}

fn problem_response(codes: &[ProblemCode]) -> Response {
    let described: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.name(), code.explanation().meaning))
        .collect();
    let schema = Ref::from_schema_name("ErrorResponse");
    let response = ResponseBuilder::new()
        .description(described.join("\n\n"))
        .content(
            MEDIA_TYPE,
            ContentBuilder::new().schema(Some(schema)).build(),
        );
    let response = if codes.contains(&ProblemCode::ExportNotReady) {
        let applied = header(Type::String, "The preferences that were honoured.");
        response.header("Preference-Applied", applied)
    } else {
        response
    };
    if codes.iter().any(|code| code.explanation().passes) {
        let seconds = header(
            Type::Integer,
            "Seconds to wait; equal to `retry_after_seconds`.",
        );
        response.header("Retry-After", seconds).build()
    } else if codes.contains(&ProblemCode::Unauthorized) {
        let scheme = header(Type::String, "`Bearer`.");
        response.header("WWW-Authenticate", scheme).build()
    } else {
        response.build()
    }
}

fn header(kind: Type, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(kind)))
        .description(Some(description))
        .build()
}
