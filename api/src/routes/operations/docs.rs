//! `GET /docs`.

use axum::Extension;
use axum::response::Response;

use crate::links::Links;
use crate::openapi::problems;
use crate::openapi::published::Published;
use crate::pages::frame::page;
use crate::problem::Problem;

problems!(PageProblems: Internal);

/// This document for people
///
/// The same as a page, without scripts.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Operations",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String), PageProblems)
)]
pub(crate) async fn get_docs(
    Extension(published): Extension<Published>,
    links: Links,
) -> Result<Response, Problem> {
    page("Waybill API", &published.page(links.base())).map_err(Problem::internal)
}
