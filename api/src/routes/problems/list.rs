//! `GET /problems`.

use axum::response::Response;

use crate::openapi::problems;
use crate::pages::frame::page;
use crate::pages::problems as pages;
use crate::problem::Problem;

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
    page("Problems", &pages::list()).map_err(Problem::internal)
}
