//! `GET /`.

use axum::response::Response;

use crate::openapi::problems;
use crate::pages::frame::page;
use crate::pages::start;
use crate::problem::Problem;

problems!(PageProblems: Internal);

/// Where a visitor begins
///
/// A page for people that leads to the documentation.
#[utoipa::path(
    get,
    path = "/",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), PageProblems)
)]
pub(crate) async fn get_start_page() -> Result<Response, Problem> {
    page("Waybill", &start::body()).map_err(Problem::internal)
}
