//! An export as server-sent events (WHATWG HTML, section 9.2): its state at once and after every change.
//!
//! The stream ends with the export's end, with its deletion, with the service, and with what the caller's
//! key gives: that is looked at again before each event, and now and then in between. An outage of the
//! ledger does not end it: what happened meanwhile is told afterwards, and heartbeats keep the connection.

use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures::StreamExt;
use futures::stream;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use tokio::time::sleep;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use waybill_ledger::export::{Export, ExportId};
use waybill_report::caller::Caller;

use crate::links::Links;
use crate::state::ApiState;
use crate::views::etag;
use crate::views::export::{ExportView, shown_status};
use crate::watcher::places::Place;
use crate::watcher::watchers::Watch;

/// The name of the events.
const EVENT: &str = "export";
/// Between two signs of life. Proxies cut what is silent for 30 or 60 seconds.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two looks at the key of a caller who is told nothing.
const LOOK_AT_KEY: Duration = Duration::from_secs(1);
/// Tells nginx and its like to pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream, as the document describes it: OpenAPI 3.1 has no words for a sequence of events.
pub(crate) struct ExportEvents;

impl PartialSchema for ExportEvents {
    fn schema() -> RefOr<Schema> {
        let event = json!({
            "event": { "const": EVENT },
            "id": { "type": "string", "description": "What a client that comes back sends as `Last-Event-ID`." },
            "data": { "$ref": "#/components/schemas/Export" },
        });
        let stream = ObjectBuilder::new()
            .schema_type(Type::String)
            .content_media_type("text/event-stream")
            .description(Some(
                "Server-sent events (WHATWG HTML, section 9.2). Each has three fields: `event` is always `export`, `id` names the state, and `data` is an `Export` as JSON, on one line. An empty line ends an event; a line that begins with `:` is a comment.",
            ))
            .extensions(Some(Extensions::builder().add("x-event", event).build()));
        RefOr::T(stream.build().into())
    }
}

impl ToSchema for ExportEvents {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ExportView::name().into(), ExportView::schema()));
        ExportView::schemas(schemas);
    }
}

/// What a stream begins with.
pub(crate) struct Beginning {
    pub(crate) state: ApiState,
    /// Who is told.
    pub(crate) caller: Caller,
    /// The export now.
    pub(crate) first: Arc<Export>,
    /// What becomes of it.
    pub(crate) watch: Watch,
    /// The event that the client has seen: it is not sent that one again.
    pub(crate) known: Option<String>,
    /// Held to the end of the stream.
    pub(crate) place: Place,
}

/// The stream, which is `over` at the latest when that ends.
pub(crate) fn follow(
    beginning: Beginning,
    links: Links,
    over: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let follower = Follower {
        state: beginning.state,
        caller: beginning.caller,
        id: beginning.first.id,
        watch: beginning.watch,
        links,
        sent: beginning.known,
        unsent: Some(beginning.first),
        ended: false,
        _place: beginning.place,
    };
    let events = stream::unfold(follower, Follower::next).take_until(over);
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    let headers = response.headers_mut();
    // A stream's own rule would let it be stored.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The id of the event that an export's state now makes.
pub(crate) fn event_id(export: &Export) -> String {
    etag::state(export, shown_status(export, Utc::now()))
}

/// One client's place in the history of an export.
struct Follower {
    state: ApiState,
    caller: Caller,
    id: ExportId,
    watch: Watch,
    links: Links,
    /// The id of the last event.
    sent: Option<String>,
    /// What was read already.
    unsent: Option<Arc<Export>>,
    /// Whether the last event told of the end.
    ended: bool,
    _place: Place,
}

impl Follower {
    /// The next event; `None` after the last.
    async fn next(mut self) -> Option<(Result<Event, axum::Error>, Self)> {
        while !self.ended {
            let export = match self.unsent.take() {
                Some(first) => first,
                None => self.changed().await?,
            };
            if !self.may_see_it().await {
                return None;
            }
            let id = event_id(&export);
            self.ended = !export.status.is_unfinished();
            if self.sent.as_ref() != Some(&id) {
                let event = Event::default().event(EVENT).id(&id);
                self.sent = Some(id);
                let export = Arc::unwrap_or_clone(export);
                let view = ExportView::new(export, Utc::now(), &self.links, None);
                return Some((event.json_data(view), self));
            }
        }
        None
    }

    /// The export once it changed; `None` when it was deleted, or is not the caller's to see any more.
    async fn changed(&mut self) -> Option<Arc<Export>> {
        if self.caller.key.is_none() {
            return self.watch.changed().await;
        }
        loop {
            tokio::select! {
                changed = self.watch.changed() => return changed,
                () = sleep(LOOK_AT_KEY) => {}
            }
            if !self.may_see_it().await {
                return None;
            }
        }
    }

    /// Returns whether the caller's key still gives this export. While nobody can say, it waits.
    async fn may_see_it(&mut self) -> bool {
        loop {
            match self.state.authenticator.current(&self.caller).await {
                Ok(current) if current == self.caller => return true,
                Ok(current) => match self.state.ledger.get(&current.scope(), self.id).await {
                    Ok(Some(_)) => self.caller = current,
                    Ok(None) => return false,
                    Err(_) => sleep(LOOK_AT_KEY).await,
                },
                Err(problem) if problem.is_unauthorized() => return false,
                Err(_) => sleep(LOOK_AT_KEY).await,
            }
        }
    }
}
