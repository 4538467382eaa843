//! A client that costs as little as one can, because it shares the processors with what it measures:
//! connections that are kept, requests that are made beforehand, and one thread for all of them.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request that is sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
}

/// The whole of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One connection, for one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Prepared {
    /// GETs a path of the service at this URL.
    pub(crate) fn get(url: &str, path: &str) -> anyhow::Result<Self> {
        Self::new(url, Method::GET, path, Bytes::new())
    }

    /// POSTs JSON.
    pub(crate) fn post(url: &str, path: &str, body: &Value) -> anyhow::Result<Self> {
        let body = serde_json::to_vec(body)?.into();
        Self::new(url, Method::POST, path, body)?.header("content-type", "application/json")
    }

    fn new(url: &str, method: Method, path: &str, body: Bytes) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").context("a URL of HTTP")?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host);
        Ok(Self {
            address: host
                .parse()
                .with_context(|| format!("no address: {host}"))?,
            request: request.body(Full::new(body))?,
        })
    }

    /// The same with a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> anyhow::Result<Self> {
        self.request.headers_mut().insert(name, value.parse()?);
        Ok(self)
    }

    /// The same with this key.
    pub(crate) fn key(self, key: &str) -> anyhow::Result<Self> {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// A connection to where it is sent.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; a fault shows in the next answer.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }
}

impl Connection {
    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, prepared: &Prepared) -> anyhow::Result<Answer> {
        self.sender.ready().await?;
        let response = self.sender.send_request(prepared.request.clone()).await?;
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

/// Does this on a thread of its own, with all that it spawns.
pub(crate) async fn on_one_thread<T, F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
    T: Send + 'static,
{
    let done = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(work())
    });
    done.await?
}
