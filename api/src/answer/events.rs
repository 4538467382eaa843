//! An export as server-sent events (WHATWG HTML, section 9.2): its state at once and after every change.
//!
//! The stream ends with the export's end, with its deletion, with the service, and with what the caller's
//! key gives: that is looked at again before each event, and now and then in between. An outage of the
//! ledger does not end it: what happened meanwhile is told afterwards, and heartbeats keep the connection.

use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use waybill_ledger::Intake;
use waybill_ledger::export::{Export, ExportId};
use waybill_report::caller::Caller;

use crate::auth::Authenticator;
use crate::clock;
use crate::headers::X_ACCEL_BUFFERING;
use crate::links::Links;
use crate::problem::{Problem, ProblemCode};
use crate::views::etag;
use crate::views::export::{ExportView, shown_status};
use crate::watcher::places::{Place, Places};
use crate::watcher::watchers::{Watcher, Watchers};

/// The name of the events.
const EVENT: &str = "export";
/// Between two signs of life. Proxies cut what is silent for 30 or 60 seconds.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// Between two looks at the key of a caller who is told nothing.
const KEY_CHECK_INTERVAL: Duration = Duration::from_secs(1);

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

/// Follows exports for clients.
#[derive(Clone)]
pub(crate) struct EventStreams {
    pub(crate) ledger: Arc<dyn Intake>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) places: Arc<Places>,
    pub(crate) authenticator: Arc<Authenticator>,
    /// Cancelled when the service ends, and every stream with it.
    pub(crate) draining: CancellationToken,
}

impl EventStreams {
    /// Opens the stream of an export, for a client that has seen the event `last_event_id`: it is not sent
    /// that one again. `None` when there is no such export. Answers 204 to who has seen its end.
    ///
    /// # Errors
    /// `overloaded` when every place is taken; 503 when the ledger is away.
    pub(crate) async fn open(
        self: &Arc<Self>,
        caller: Caller,
        links: Links,
        id: ExportId,
        last_event_id: Option<String>,
    ) -> Result<Option<Response>, Problem> {
        let place = self.places.place(&caller.org).ok_or_else(|| {
            let detail = "Every place for clients that wait for an export is taken.";
            Problem::new(ProblemCode::Overloaded, detail)
                .retry_after(self.places.retry_after_seconds())
        })?;
        let Some((first, watcher)) = self.watchers.follow(&caller.scope(), id).await? else {
            return Ok(None);
        };
        let seen = last_event_id.as_ref() == Some(&event_id(&first));
        if seen && !first.status.is_unfinished() {
            return Ok(Some(StatusCode::NO_CONTENT.into_response()));
        }
        let follower = Follower {
            streams: Arc::clone(self),
            caller,
            id,
            watcher,
            links,
            sent: last_event_id,
            unsent: Some(first),
            ended: false,
            _place: place,
        };
        let over = self.draining.clone().cancelled_owned();
        Ok(Some(stream_of(follower, over)))
    }
}

/// Returns the answer that streams what a follower sees, and is `over` at the latest when that ends.
fn stream_of(follower: Follower, over: impl Future<Output = ()> + Send + 'static) -> Response {
    let events = stream::unfold(follower, Follower::next).take_until(over);
    let heartbeat = KeepAlive::new().interval(HEARTBEAT_INTERVAL);
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    let headers = response.headers_mut();
    // A stream's own rule would let it be stored.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Returns the id of the event that an export's state now makes.
fn event_id(export: &Export) -> String {
    etag::state(export, shown_status(export, clock::now()))
}

/// One client's place in the history of an export.
struct Follower {
    streams: Arc<EventStreams>,
    caller: Caller,
    id: ExportId,
    watcher: Watcher,
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
    /// Returns the next event; `None` after the last.
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
                let view = ExportView::new(export, clock::now(), &self.links, None);
                return Some((event.json_data(view), self));
            }
        }
        None
    }

    /// Returns the export once it changed; `None` when it was deleted, or is not the caller's to see any more.
    async fn changed(&mut self) -> Option<Arc<Export>> {
        if self.caller.key.is_none() {
            return self.watcher.changed().await;
        }
        loop {
            tokio::select! {
                changed = self.watcher.changed() => return changed,
                () = sleep(KEY_CHECK_INTERVAL) => {}
            }
            if !self.may_see_it().await {
                return None;
            }
        }
    }

    /// Returns whether the caller's key still gives this export. While nobody can say, it waits.
    async fn may_see_it(&mut self) -> bool {
        loop {
            match self.streams.authenticator.current(&self.caller).await {
                Ok(current) if current == self.caller => return true,
                Ok(current) => match self.streams.ledger.get(&current.scope(), self.id).await {
                    Ok(Some(_)) => self.caller = current,
                    Ok(None) => return false,
                    Err(_) => sleep(KEY_CHECK_INTERVAL).await,
                },
                Err(problem) if problem.is_unauthorized() => return false,
                Err(_) => sleep(KEY_CHECK_INTERVAL).await,
            }
        }
    }
}
