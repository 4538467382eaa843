//! Following an export without asking again and again.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::answer::events::{self, Beginning, ExportEvents};
use crate::auth::Authenticated;
use crate::links::Links;
use crate::links::action::operation;
use crate::openapi::problems;
use crate::problem::{Problem, ProblemCode};
use crate::request::export_path::{ExportPath, not_found};
use crate::state::ApiState;

/// Sent by a client that lost its connection (WHATWG HTML, section 9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    links: Links,
    headers: HeaderMap,
    ExportPath(id): ExportPath,
) -> Result<Response, Problem> {
    let place = state.waiting.place(&caller.org);
    let place = place.ok_or_else(|| no_place(&state))?;
    let (first, watch) = state
        .watches
        .follow(&caller.scope(), id)
        .await
        .map_err(|error| Problem::from(error).of_operation(operation::STREAM_EXPORT_EVENTS))?
        .ok_or_else(not_found)?;
    let known = headers
        .get(LAST_EVENT_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let seen = known.as_ref() == Some(&events::event_id(&first));
    if seen && !first.status.is_unfinished() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let over = state.draining().clone().cancelled_owned();
    let beginning = Beginning {
        state,
        caller,
        first,
        watch,
        known,
        place,
    };
    Ok(events::follow(beginning, links, over))
}

fn no_place(state: &ApiState) -> Problem {
    let detail = "Every place for clients that wait for an export is taken.";
    Problem::new(ProblemCode::Overloaded, detail)
        .retry_after(state.waiting.come_back())
        .of_operation(operation::STREAM_EXPORT_EVENTS)
}
