//! A stream of events, read as it comes.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Service, request};

/// How long an event may take: it bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(30);

/// A stream that is open.
pub(in crate::tests) struct Events {
    body: Body,
    unread: String,
}

/// One event.
#[derive(Debug)]
pub(in crate::tests) struct Event {
    pub(in crate::tests) id: String,
    pub(in crate::tests) data: Value,
}

impl Service {
    /// Opens the stream at this path, as a client that has seen the event `seen`.
    pub(in crate::tests) async fn follow(&self, path: &str, seen: Option<&str>) -> Events {
        let headers: Vec<_> = seen.iter().map(|seen| ("last-event-id", *seen)).collect();
        self.follow_with(path, &headers).await
    }

    /// The same with these headers.
    pub(in crate::tests) async fn follow_with(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Events {
        let mut request = request(Method::GET, path);
        for (name, value) in headers {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(*name, value);
        }
        let response = self.router.clone().oneshot(request).await;
        Events::of(response.expect("a router is infallible"))
    }
}

impl Events {
    fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        assert_eq!(parts.status, StatusCode::OK);
        Self {
            body,
            unread: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(in crate::tests) async fn next(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(DEADLINE, self.read()).await;
        next.expect("an event or the end")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let event = Event::of(event);
                self.unread = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.expect("bodies are whole");
            let data = frame.into_data().expect("no trailers");
            self.unread
                .push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }
}

impl Event {
    fn of(text: &str) -> Self {
        let field = |name: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
            let value = values.next().unwrap_or_else(|| panic!("{name} in {text}"));
            assert!(values.next().is_none(), "one {name} in {text}");
            value.to_owned()
        };
        assert_eq!(field("event: "), "export");
        Self {
            id: field("id: "),
            data: serde_json::from_str(&field("data: ")).expect("JSON"),
        }
    }
}
