//! `GET /problems/{code}`.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;

use crate::openapi::problems;
use crate::pages::frame::page;
use crate::pages::problems as pages;
use crate::problem::{Problem, ProblemCode};

problems!(ExplainProblems: RouteNotFound, Internal);

/// What a problem means
///
/// A page for people about one code: when it happens and what to do.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "Operations",
    params(("code" = String, Path, description = "The `code` of a problem.", example = "invalid_query")),
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), ExplainProblems)
)]
pub(crate) async fn explain_problem(
    code: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let code = code
        .ok()
        .and_then(|Path(code)| ProblemCode::from_name(&code))
        .ok_or_else(|| Problem::new(ProblemCode::RouteNotFound, "No problem has this code."))?;
    let title = code.explanation().title;
    page(title, &pages::explanation(code)).map_err(Problem::internal)
}
