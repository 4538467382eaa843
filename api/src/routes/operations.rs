//! What operators and tools ask: is it alive, is it ready, what can it do.

use std::future::Future;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_shared::ledger::LedgerError;

use crate::html;
use crate::links::Links;
use crate::openapi::{Published, problems};
use crate::problem::{Problem, ProblemCode};
use crate::state::ApiState;

/// How long a dependency may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// How a process is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

problems!(LiveProblems: Internal);

/// Is the process alive
///
/// Answers as long as the process serves requests at all, whatever it depends on.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "Operations",
    responses((status = 200, description = "It is.", body = Health), LiveProblems)
)]
pub(crate) async fn livez() -> Json<Health> {
    Json(Health { status: "alive" })
}

problems!(ReadyProblems: DatabaseUnavailable, StorageUnavailable, Internal);

/// Is the service ready
///
/// Asks the database of exports, the object store and the sources. A 503 names in `missing` what does not
/// answer: `database`, `migrations`, `storage`, `source …`.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses((status = 200, description = "It is.", body = Health), ReadyProblems)
)]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<Json<Health>, Problem> {
    let (ledger, bucket, sources) = tokio::join!(
        within(state.ledger.check()),
        within(state.bucket.check()),
        within(state.sources.check()),
    );
    let mut missing = Vec::new();
    let mut causes = Vec::new();
    match ledger {
        Checked::Well => {}
        Checked::Failed(LedgerError::SchemaOutdated) => missing.push("migrations".to_owned()),
        Checked::Failed(error) => {
            missing.push("database".to_owned());
            causes.push(error.to_string());
        }
        Checked::Late => missing.push("database".to_owned()),
    }
    match sources {
        Checked::Well => {}
        Checked::Failed((name, error)) => {
            missing.push(format!("source {name}"));
            causes.push(error.to_string());
        }
        Checked::Late => missing.push("source".to_owned()),
    }
    // Last, so that the code is the store's only when nothing else is missing.
    let only_storage = missing.is_empty();
    match bucket {
        Checked::Well => {}
        Checked::Failed(error) => {
            missing.push("storage".to_owned());
            causes.push(error.to_string());
        }
        Checked::Late => missing.push("storage".to_owned()),
    }
    if missing.is_empty() {
        return Ok(Json(Health { status: "ready" }));
    }
    let code = if only_storage {
        ProblemCode::StorageUnavailable
    } else {
        ProblemCode::DatabaseUnavailable
    };
    Err(Problem::not_ready(missing, code).caused_by(causes.join("; ")))
}

/// What a check came to.
enum Checked<E> {
    Well,
    Failed(E),
    /// No answer in time.
    Late,
}

async fn within<E>(check: impl Future<Output = Result<(), E>>) -> Checked<E> {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => Checked::Well,
        Ok(Err(error)) => Checked::Failed(error),
        Err(_) => Checked::Late,
    }
}

problems!(DocumentProblems: Internal);

/// This document
///
/// OpenAPI 3.1, made from the code that serves it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operations",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object), DocumentProblems)
)]
pub(crate) async fn get_openapi(Extension(published): Extension<Published>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, published.json()).into_response()
}

/// This document for people
///
/// The same as a page, without scripts.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), DocumentProblems)
)]
pub(crate) async fn get_docs(
    Extension(published): Extension<Published>,
    links: Links,
) -> Result<Response, Problem> {
    html::page("Waybill API", |out| published.page(links.base(), out)).map_err(Problem::internal)
}
