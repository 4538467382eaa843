//! An export as server-sent events (WHATWG HTML, section 9.2): its state at once and after every change.
//!
//! The stream ends with the export's end, with its deletion and with the service. An outage of the ledger
//! does not end it: the next read tells what happened meanwhile, and heartbeats keep the connection.

use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures::StreamExt;
use futures::stream;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use waybill_shared::export::Export;

use crate::etag;
use crate::export_view::{ExportView, shown_status};
use crate::links::Links;
use crate::watch::Watch;

/// The name of the events.
const EVENT: &str = "export";
/// Between two signs of life. Proxies cut what is silent for 30 or 60 seconds.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Tells nginx and its like to pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream that begins with `first`. A client that has the event `known` is not sent that one again.
pub(crate) fn follow(watch: Watch, first: Export, known: Option<String>, links: Links) -> Response {
    let over = watch.over();
    let follower = Follower {
        watch,
        links,
        sent: known,
        unsent: Some(first),
        ended: false,
    };
    // Also a read that hangs is cut short by the drain.
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
    watch: Watch,
    links: Links,
    /// The id of the last event.
    sent: Option<String>,
    /// What was read already.
    unsent: Option<Export>,
    /// Whether the last event told of the end.
    ended: bool,
}

impl Follower {
    /// The next event; `None` after the last.
    async fn next(mut self) -> Option<(Result<Event, axum::Error>, Self)> {
        while !self.ended {
            let export = match self.unsent.take() {
                Some(first) => first,
                None => self.changed().await?,
            };
            let id = event_id(&export);
            self.ended = !export.status.is_unfinished();
            if self.sent.as_ref() != Some(&id) {
                let event = Event::default().event(EVENT).id(&id);
                self.sent = Some(id);
                let view = ExportView::new(export, Utc::now(), &self.links, None);
                return Some((event.json_data(view), self));
            }
        }
        None
    }

    /// The export as it is read next; `None` once it is deleted.
    async fn changed(&mut self) -> Option<Export> {
        loop {
            self.watch.change().await;
            match self.watch.read().await {
                Ok(export) => return export,
                Err(error) => {
                    tracing::debug!(cause = %error, "an export cannot be followed at the moment");
                }
            }
        }
    }
}
