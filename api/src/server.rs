//! Connections: takes them, bounds them in number and in time, and ends them.
//!
//! A client that is slow or silent costs a connection and nothing else, and that for a bounded time:
//! what is [received and taken](activity) when, decides until when it may stay. What is served is the
//! service's business, and how long a body may take to arrive.

mod activity;
mod service;
mod stream;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use waybill_config::LimitSettings;

use crate::middleware::head_bounds::MAX_HEAD_BYTES;
use activity::{Activity, Timeouts};
use service::ObservedService;
use stream::ObservedStream;

/// Requests of one HTTP/2 connection at the same time.
const MAX_CONCURRENT_STREAMS: u32 = 128;
/// An HTTP/2 client that sends nothing for this long is asked whether it is still there …
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// … and has this long to answer.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries to take a connection when that fails: out of file descriptors, most likely.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(500);

/// The right to be open; it ends with this.
type ConnectionPermit = Option<OwnedSemaphorePermit>;

/// Serves any HTTP service within the API's bounds on connections: `limits.max_connections` of this
/// listener, and the timeouts. Runs until `shutdown` is cancelled: then takes no connection any more,
/// closes those without a request, and returns once every request is answered.
///
/// An error of the service ends the connection.
pub async fn serve_within<S, B>(
    listener: TcpListener,
    service: S,
    limits: &LimitSettings,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    let server = Arc::new(Server::new(service, limits));
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let connections = TaskTracker::new();
    let accepting = async || {
        // Before a connection is taken: one that finds no permit waits with the operating system.
        // Nobody closes the semaphore, so this is no error.
        let permit = Arc::clone(&permits).acquire_owned().await.ok();
        (accept(&listener).await, permit)
    };
    while let Some((stream, permit)) = shutdown.run_until_cancelled(accepting()).await {
        connections.spawn(Arc::clone(&server).serve(stream, permit, shutdown.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and written whole: nothing is won by waiting for more.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(cause = %error, "a connection keeps its delay");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(cause = %error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// How connections are served.
struct Server<S> {
    service: S,
    http: Builder<TokioExecutor>,
    timeouts: Timeouts,
}

impl<S, B> Server<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn new(service: S, limits: &LimitSettings) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        // Time is kept here, over all of a connection's stages.
        http.http1()
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD_BYTES);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PONG_TIMEOUT);
        Self {
            service,
            http,
            timeouts: Timeouts {
                read: limits.read_timeout(),
                idle: limits.idle_timeout(),
            },
        }
    }

    /// Serves one connection to its end.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        _permit: ConnectionPermit,
        shutdown: CancellationToken,
    ) {
        let activity = Activity::begin();
        let mut stages = activity.stages();
        let io = TokioIo::new(ObservedStream::new(stream, activity.clone()));
        let service = ObservedService::new(self.service.clone(), activity.clone());
        let mut connection = pin!(
            self.http
                .serve_connection(io, TowerToHyperService::new(service))
        );
        let mut shutdown = pin!(shutdown.cancelled());
        let mut timer = pin!(sleep_until(Instant::now()));
        // Whether it was asked to end once it has no request.
        let mut ending = false;
        loop {
            let stage = *stages.borrow_and_update();
            let until = stage.until(&self.timeouts, ending);
            // Nobody is woken when pieces are handed out and taken: that is looked at from time to time.
            let untaken = || activity.untaken_until(&self.timeouts);
            let look = until.or_else(untaken);
            timer
                .as_mut()
                .reset(look.unwrap_or_else(|| Instant::now() + self.timeouts.idle));
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(cause = %error, "a connection ended badly");
                    }
                    return;
                }
                () = shutdown.as_mut(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = timer.as_mut() => {
                    let stalled = untaken().is_some_and(|until| until <= Instant::now());
                    if until.is_none() && !stalled {
                        continue;
                    }
                    if ending || until.is_none() {
                        tracing::debug!(?stage, "a connection was cut off: its client is too slow");
                        return;
                    }
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                // The connection holds the sender, so this is no error.
                _ = stages.changed() => {}
            }
        }
    }
}
