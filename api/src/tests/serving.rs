//! The service on a real socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::harness::{EXPORT, Service, endless_query};

/// How long a condition may take to come true: it bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(30);

/// A service that is reached by its address.
struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    async fn start(service: &Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (router, limits) = (service.router.clone(), service.limits.clone());
        let shutdown = service.shutdown.clone();
        let until = shutdown.clone();
        let serving = async move { crate::serve_within(listener, router, &limits, until).await };
        Self {
            address,
            shutdown,
            serving: tokio::spawn(serving),
        }
    }

    fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(self.address).expect("a connection");
        let deadline = Some(DEADLINE);
        connection.set_read_timeout(deadline).expect("a deadline");
        connection
    }

    /// Sends this and then nothing; returns what comes until the service ends the connection.
    async fn exchange(&self, request: impl Into<String>) -> String {
        let (mut connection, request) = (self.connect(), request.into());
        let exchange = tokio::task::spawn_blocking(move || {
            connection.write_all(request.as_bytes()).expect("sent");
            rest_of(&mut connection)
        });
        exchange.await.expect("no panic")
    }

    async fn live(&self) {
        let live = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = self.exchange(live).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Stops it and waits until it has ended.
    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.serving).await;
        ended.expect("in time").expect("no panic");
    }
}

/// What comes until the end of a connection; fails when that does not come.
fn rest_of(connection: &mut TcpStream) -> String {
    let mut received = Vec::new();
    if let Err(error) = connection.read_to_end(&mut received) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(received).expect("UTF-8")
}

fn held(id: &str, seconds: u64) -> String {
    format!(
        "GET /v1/exports/{id} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait={seconds}\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_those_who_wait_and_ends() {
    let service = Service::start().await;
    let id = service.accept().await;
    let served = Served::start(&service).await;
    let mut waiting = served.connect();
    waiting.write_all(held(&id, 30).as_bytes()).expect("sent");
    // An answer to a second request shows that the first one is being served.
    served.live().await;
    let began = Instant::now();
    served.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "before the wait is over"
    );
    // A connection that is closed before its request was read gives no answer.
    let answer = rest_of(&mut waiting);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_no_idle_connection() {
    let service = Service::limited(|limits| limits.idle_timeout_seconds = 3_600).await;
    let served = Served::start(&service).await;
    let (mut silent, mut kept) = (served.connect(), served.connect());
    let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    kept.write_all(request).expect("sent");
    let mut first = [0; 12];
    kept.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    served.stop().await;
    assert_eq!(rest_of(&mut silent), "");
    rest_of(&mut kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_request_is_cut_off() {
    let service = Service::limited(|limits| {
        limits.read_timeout_seconds = 1;
        limits.idle_timeout_seconds = 2;
    })
    .await;
    let served = Served::start(&service).await;
    let half = "GET /livez HTTP/1.1\r\nHos";
    let whole = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (silent, begun, preface, between, kept) = tokio::join!(
        served.exchange(""),
        served.exchange(half),
        served.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n"),
        served.exchange(format!("{whole}{half}")),
        served.exchange(whole),
    );
    assert_eq!(
        (silent.as_str(), begun.as_str(), preface.as_str()),
        ("", "", "")
    );
    for answer in [between, kept] {
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    served.live().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_held_is_not_idle() {
    let service = Service::limited(|limits| {
        limits.read_timeout_seconds = 1;
        limits.idle_timeout_seconds = 1;
    })
    .await;
    let id = service.accept().await;
    let served = Served::start(&service).await;
    let answer = served.exchange(held(&id, 4)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("preference-applied: wait=4"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_taken_than_there_may_be() {
    let service = Service::limited(|limits| {
        limits.max_connections = 2;
        limits.read_timeout_seconds = 3_600;
        limits.idle_timeout_seconds = 3_600;
    })
    .await;
    let served = Served::start(&service).await;
    let others = [served.connect(), served.connect()];
    let mut waiting = served.connect();
    let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    waiting.write_all(request).expect("sent");
    let a_moment = Some(Duration::from_millis(300));
    waiting.set_read_timeout(a_moment).expect("a deadline");
    let refused = waiting.read(&mut [0; 1]).expect_err("it is not served");
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    drop(others);
    waiting
        .set_read_timeout(Some(DEADLINE))
        .expect("a deadline");
    assert!(rest_of(&mut waiting).starts_with("HTTP/1.1 200"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_its_request() {
    let service = Service::with(|inline, _| inline.timeout_seconds = 300).await;
    let served = Served::start(&service).await;
    let body = format!("{{\"query\":{}}}", endless_query());
    let length = body.len();
    let request = format!(
        "POST {EXPORT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut client = served.connect();
    client.write_all(request.as_bytes()).expect("sent");
    served.live().await;
    drop(client);
    // Nothing is left that a shutdown would wait for.
    served.stop().await;
}
