//! `GET /v1/exports`, by pages.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use waybill_ledger::export::{ExportId, ExportStatus};
use waybill_ledger::{Intake, Page};

use crate::auth::Authenticated;
use crate::clock;
use crate::links::Links;
use crate::openapi::problems;
use crate::problem::Problem;
use crate::request::parameters::Parameters;
use crate::views::export::{ExportList, ExportView};

/// Exports of a page that names no limit.
const DEFAULT_LIMIT: u32 = 20;
/// The most exports of a page.
const MAX_LIMIT: u32 = 100;

problems!(ListProblems: InvalidRequest, DatabaseUnavailable, Internal);

/// List exports
///
/// The exports that the caller may see, newest first: an admin's are the organisation's, a viewer's those
/// that its key made. Their `download` is the route that redirects to a
/// presigned URL.
#[utoipa::path(
    get,
    path = "/v1/exports",
    tag = "Exports",
    params(
        ("status" = Option<ExportStatus>, Query, description = "Only exports of this status."),
        ("dataset" = Option<String>, Query, description = "Only exports of this dataset.", example = "sessions"),
        ("limit" = Option<u32>, Query, description = "The most exports of a page: 1 to 100, 20 if absent.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before; absent for the first page. Empty it is an error: after the last page `next_cursor` is null, and who sends that on as an empty text would begin anew.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of exports.", body = ExportList),
        ListProblems,
    )
)]
pub(crate) async fn list_exports(
    State(ledger): State<Arc<dyn Intake>>,
    Authenticated(caller): Authenticated,
    links: Links,
    RawQuery(query): RawQuery,
) -> Result<Json<ExportList>, Problem> {
    let mut page = page(query.as_deref())?;
    let limit = page.limit as usize;
    // One more than is shown tells whether there is another page.
    page.limit += 1;
    let mut exports = ledger
        .list(&caller.scope(), &page)
        .await
        .map_err(|error| Problem::from(error).of_operation("list_exports"))?;
    let more = exports.len() > limit;
    exports.truncate(limit);
    let next_cursor = exports.last().filter(|_| more).map(|last| cursor(last.id));
    let now = clock::now();
    let view = |export| ExportView::new(export, now, &links, None);
    Ok(Json(ExportList {
        data: exports.into_iter().map(view).collect(),
        next_cursor,
    }))
}

fn page(query: Option<&str>) -> Result<Page, Problem> {
    let mut parameters = Parameters::read(query, &["status", "dataset", "limit", "cursor"]);
    let statuses: Vec<&str> = ExportStatus::all()
        .iter()
        .map(|status| status.name())
        .collect();
    let statuses = statuses.join(" ");
    let page = Page {
        status: parameters.take(
            "status",
            &format!("expected one of {statuses}"),
            ExportStatus::from_name,
        ),
        dataset: parameters.take("dataset", "expected the name of a dataset", |name| {
            (!name.is_empty()).then(|| name.to_owned())
        }),
        limit: parameters
            .take(
                "limit",
                &format!("expected a whole number from 1 to {MAX_LIMIT}"),
                page_limit,
            )
            .unwrap_or(DEFAULT_LIMIT),
        before: parameters.take(
            "cursor",
            "expected the next_cursor of an earlier page",
            before,
        ),
    };
    parameters.finish()?;
    Ok(page)
}

fn page_limit(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|digit| digit.is_ascii_digit());
    let limit = value.parse().ok().filter(|_| digits)?;
    (1..=MAX_LIMIT).contains(&limit).then_some(limit)
}

/// Makes a cursor: the id before which the next page begins. Clients are told nothing of that.
fn cursor(last: ExportId) -> String {
    last.to_string().replacen("export_", "before_", 1)
}

fn before(cursor: &str) -> Option<ExportId> {
    let id = cursor.strip_prefix("before_")?;
    format!("export_{id}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let id = ExportId::generate();
        assert_eq!(before(&cursor(id)), Some(id));
        for wrong in [
            "",
            "before_",
            &id.to_string(),
            "before_export_",
            &format!("{}0", cursor(id)),
        ] {
            assert_eq!(before(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn page_limits() {
        assert_eq!((page_limit("1"), page_limit("100")), (Some(1), Some(100)));
        for wrong in ["0", "101", "+5", "-1", "", "1.0", "x"] {
            assert_eq!(page_limit(wrong), None, "{wrong}");
        }
    }
}
