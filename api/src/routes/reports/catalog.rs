//! `GET /v1/reports/catalog`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use waybill_report::catalog::Catalog;

use crate::auth::Authenticated;
use crate::openapi::problems;
use crate::views::catalog::ReportCatalog;

problems!(CatalogProblems: DatabaseUnavailable, Internal);

/// What can be asked
///
/// Lists the datasets that the caller may use, with their columns and the operators of each filter field.
#[utoipa::path(
    get,
    path = "/v1/reports/catalog",
    tag = "Reports",
    responses(
        (status = 200, description = "The datasets, sorted by name.", body = ReportCatalog),
        CatalogProblems,
    )
)]
pub(crate) async fn get_report_catalog(
    State(catalog): State<Arc<Catalog>>,
    Authenticated(caller): Authenticated,
) -> Json<ReportCatalog> {
    Json(ReportCatalog::of(&catalog, &caller))
}
