//! A client of the events of an export, which reads them as they come.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::timeout;

use super::DEADLINE;
use super::export::check_export;
use super::http::Http;

/// A stream that is open.
pub(crate) struct Events {
    response: Response,
    unread: Vec<u8>,
}

/// An event named `export`.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) export: Value,
}

/// What a stream is made of.
enum Block {
    Event(Event),
    Heartbeat,
}

impl Http {
    /// Opens the events of an export, as a client that has seen the event `seen` if there is one.
    pub(crate) async fn follow(&self, id: &str, seen: Option<&str>) -> Events {
        let headers: Vec<_> = seen
            .map(|seen| ("last-event-id", seen))
            .into_iter()
            .collect();
        let request = self.request("GET", &format!("/v1/exports/{id}/events"), &headers);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{response:?}");
        let of = |name| response.headers()[name].to_str().expect("ASCII");
        assert_eq!(of("content-type"), "text/event-stream");
        assert_eq!(of("cache-control"), "private, no-store");
        Events {
            response,
            unread: Vec::new(),
        }
    }
}

impl Events {
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next event; `None` once the stream has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            match self.block(DEADLINE).await? {
                Block::Event(event) => return Some(event),
                Block::Heartbeat => {}
            }
        }
    }

    /// The next event, which must be of this status; others of the same export are passed over until
    /// then.
    pub(crate) async fn once(&mut self, status: &str) -> Event {
        loop {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("the stream ended before it was {status}"));
            if event.export["status"] == status {
                return event;
            }
        }
    }

    /// Waits for a sign of life; an event is none.
    pub(crate) async fn heartbeat(&mut self) {
        match self.block(DEADLINE).await {
            Some(Block::Heartbeat) => {}
            Some(Block::Event(event)) => panic!("expected a heartbeat, got {event:?}"),
            None => panic!("expected a heartbeat, but the stream ended"),
        }
    }

    async fn block(&mut self, longest: Duration) -> Option<Block> {
        let block = timeout(longest, self.read()).await;
        block.unwrap_or_else(|_| panic!("nothing came for {longest:?}"))
    }

    async fn read(&mut self) -> Option<Block> {
        loop {
            let end = self.unread.windows(2).position(|two| two == b"\n\n");
            if let Some(end) = end {
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Some(Block::of(std::str::from_utf8(&block).expect("UTF-8")));
            }
            let chunk = self.response.chunk().await;
            let chunk = chunk.unwrap_or_else(|error| panic!("the stream broke: {error:?}"));
            let Some(chunk) = chunk else {
                assert!(self.unread.is_empty(), "an event is complete");
                return None;
            };
            self.unread.extend_from_slice(&chunk);
        }
    }
}

impl Block {
    fn of(text: &str) -> Self {
        if text.trim_end().lines().all(|line| line.starts_with(':')) {
            return Self::Heartbeat;
        }
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap_or_else(|| panic!("{name} in {text}"))
        };
        assert_eq!(field("event: "), "export");
        let export = serde_json::from_str(field("data: ")).expect("JSON");
        check_export(&export);
        Self::Event(Event {
            id: field("id: ").to_owned(),
            export,
        })
    }
}
