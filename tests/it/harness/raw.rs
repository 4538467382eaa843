//! Requests that no client library would send.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back, as far as it can be told from the bytes.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends these lines as the head of a request without a body, and reads what comes until the server ends the
/// connection.
pub(crate) async fn exchange(base: &str, lines: &[&str]) -> Raw {
    let address = base.strip_prefix("http://").expect("a URL of HTTP");
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let mut head = lines.join("\r\n");
    head.push_str("\r\nConnection: close\r\n\r\n");
    let sent = connection.write_all(head.as_bytes()).await;
    sent.expect("it is sent");
    let mut received = Vec::new();
    let read = connection.read_to_end(&mut received).await;
    read.unwrap_or_else(|error| panic!("{lines:?}: {error}"));
    let received = String::from_utf8_lossy(&received);
    let (head, body) = received.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Raw {
        status: status.expect("a status"),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

impl Raw {
    /// Fails unless it is a problem of this status and code; returns its document.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        let problem: Value = match serde_json::from_str(&self.body) {
            Ok(problem) => problem,
            Err(error) => panic!("{error}: {self:?}"),
        };
        assert_eq!(problem["code"], code, "{self:?}");
        problem
    }
}
