//! Pages that explain the codes of problems: where the `type` of each leads.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;

use crate::openapi::problems;
use crate::pages::{self, problems as explained};
use crate::problem::{Problem, ProblemCode};

problems!(ListProblems: Internal);

/// All problems
///
/// A page for people that leads to the one about each code.
#[utoipa::path(
    get,
    path = "/problems",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), ListProblems)
)]
pub(crate) async fn list_problems() -> Result<Response, Problem> {
    pages::page("Problems", explained::list).map_err(Problem::internal)
}

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
    pages::page(title, |out| explained::page(code, out)).map_err(Problem::internal)
}
