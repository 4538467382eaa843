//! `GET /livez`.

use axum::Json;

use crate::openapi::problems;
use crate::views::health::Health;

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
    Json(Health::ALIVE)
}
