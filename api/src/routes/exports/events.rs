//! `GET /v1/exports/{id}/events`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::answer::events::{EventStreams, ExportEvents};
use crate::auth::Authenticated;
use crate::headers::LAST_EVENT_ID;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::Problem;
use crate::request::export_path::{ExportPath, not_found};

problems!(FollowProblems: ExportNotFound, Overloaded, DatabaseUnavailable, Internal);

/// Follow an export
///
/// Server-sent events: one named `export` at once, and one after every change, until the export ends or is
/// deleted, or until the caller's key is no longer in force. The `data` of each is the export as `get_export` answers it, with the route that redirects to
/// the file as its `download`. A comment every 15 s shows that the connection lives.
///
/// A client that lost its connection says in `Last-Event-ID` what it has seen and is sent what is new; if
/// it has seen the end, the answer is a 204, after which an `EventSource` does not come back.
///
/// A process follows exports for `limits.max_waiting` clients at a time (5,000 by default; streams and
/// requests held by `Prefer: wait` together), and for none of an organisation that has as many of these
/// places as are left free. Whoever finds no place is told when to come back, and may poll meanwhile.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}/events",
    tag = "Exports",
    params(
        ExportPath,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that the client has seen."),
    ),
    responses(
        (
            status = 200,
            description = "The events.",
            content_type = "text/event-stream",
            body = ExportEvents,
            example = "event: export\nid: 7-running\ndata: {\"id\":\"export_0196f0a2b8f97c3e9d51c2a4e6f80b13\",\"status\":\"running\",…}\n\n",
        ),
        (status = 204, description = "The export has ended, and the client has seen that."),
        FollowProblems,
    )
)]
pub(crate) async fn stream_export_events(
    State(streams): State<Arc<EventStreams>>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let last_event_id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    streams
        .open(caller, links, id, last_event_id.map(str::to_owned))
        .await
        .map_err(|problem| problem.of_operation(operation::STREAM_EXPORT_EVENTS))?
        .ok_or_else(not_found)
}
