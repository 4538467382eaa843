//! `GET /readyz`.

use axum::Json;
use axum::extract::State;
use waybill_readiness::Readiness;

use crate::openapi::problems;
use crate::problem::Problem;
use crate::views::health::Health;

problems!(ReadyProblems: DatabaseUnavailable, StorageUnavailable, Internal);

/// Is the service ready
///
/// Asks the database of exports, the object store and the sources. A 503 names in `missing` what does not
/// answer: `database`, `migrations`, `storage`, `source …`, or `catalog` until that was held against its
/// sources. `clock (…)` says that this machine's clock and the store's differ by more than 5 minutes.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses((status = 200, description = "It is.", body = Health), ReadyProblems)
)]
pub(crate) async fn readyz(State(readiness): State<Readiness>) -> Result<Json<Health>, Problem> {
    readiness.check().await?;
    Ok(Json(Health::READY))
}
