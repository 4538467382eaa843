//! The client's side of HTTP/1.1, as far as S3 clients speak it: one request after the other, each with
//! the length of its body.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::step::{Action, Passing};
use super::{CHUNK, Link};

/// What a server sends before the answer, to have the body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100";

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Forwards requests until the client ends the connection.
pub(super) async fn requests(
    link: &Link,
    client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
) -> io::Result<()> {
    let mut client = Incoming {
        client,
        read: Vec::new(),
    };
    while let Some(head) = client.head().await? {
        let request = Head::parse(&head).ok_or(io::ErrorKind::InvalidData)?;
        let passing = Passing::Request {
            method: request.method,
            target: request.target,
        };
        let action = link.meet(&passing).await?;
        let mut left = request.length;
        if let Some(Action::Answer {
            status,
            retry_after,
        }) = action
        {
            while client.piece(&mut left).await?.is_some() {}
            let answer = answer(request.method, status, retry_after);
            link.rules.let_pass().await;
            return link.to_client.lock().await.write_all(&answer).await;
        }
        link.forward(&head, &mut server).await?;
        let mut spoilt = (action == Some(Action::Corrupt)).then_some(request.length / 2);
        while let Some(mut bytes) = client.piece(&mut left).await? {
            if let Some(place) = spoilt {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1;
                }
                spoilt = place.checked_sub(bytes.len());
            }
            link.forward(&bytes, &mut server).await?;
        }
    }
    Ok(())
}

/// What a client sends, and what was read of it too early.
struct Incoming {
    client: OwnedReadHalf,
    read: Vec<u8>,
}

impl Incoming {
    /// The next head with the empty line that ends it; `None` at the end.
    async fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let windows = self.read.windows(END_OF_HEAD.len());
            if let Some(end) = windows.into_iter().position(|bytes| bytes == END_OF_HEAD) {
                let rest = self.read.split_off(end + END_OF_HEAD.len());
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            if self.client.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next piece of a body of which so many bytes are left; `None` after the last.
    async fn piece(&mut self, left: &mut usize) -> io::Result<Option<Vec<u8>>> {
        if *left == 0 {
            return Ok(None);
        }
        if self.read.is_empty() {
            self.read.reserve(CHUNK);
            if self.client.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.read.split_off(self.read.len().min(*left));
        *left -= self.read.len();
        Ok(Some(std::mem::replace(&mut self.read, rest)))
    }
}

struct Head<'h> {
    method: &'h str,
    target: &'h str,
    length: usize,
}

impl<'h> Head<'h> {
    /// `None` for what no S3 client sends, such as a body of unknown length.
    fn parse(head: &'h [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let mut request = lines.next()?.split(' ');
        let (method, target) = (request.next()?, request.next()?);
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return None;
            }
        }
        Some(Self {
            method,
            target,
            length,
        })
    }
}

/// An answer in the form of S3's errors.
fn answer(method: &str, status: u16, retry_after: Option<u64>) -> Vec<u8> {
    let code = match status {
        400 => "BadDigest",
        503 => "SlowDown",
        _ => "InternalError",
    };
    let body = format!("<Error><Code>{code}</Code><Message>Told by the test.</Message></Error>");
    let wait = retry_after.map_or(String::new(), |seconds| {
        format!("Retry-After: {seconds}\r\n")
    });
    let body_sent = if method == "HEAD" { "" } else { &body };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\
         {wait}Connection: close\r\n\r\n{body_sent}"
    )
    .into_bytes()
}
