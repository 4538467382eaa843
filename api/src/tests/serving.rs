//! The service on a real socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::harness::Service;

fn exchange(address: SocketAddr, request: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("a connection");
    connection.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    // A connection that is closed before its request was read gives no answer.
    drop(connection.read_to_string(&mut answer));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_those_who_wait_and_ends() {
    let service = Service::start().await;
    let id = service.accept().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(crate::serve(
        listener,
        service.state.clone(),
        shutdown.clone(),
    ));

    let request = format!(
        "GET /v1/exports/{id} HTTP/1.1\r\nHost: a\r\nPrefer: wait=30\r\nConnection: close\r\n\r\n"
    );
    let held = tokio::task::spawn_blocking(move || exchange(address, &request));
    // An answer to a second request shows that the first one is being served.
    let live = tokio::task::spawn_blocking(move || {
        exchange(
            address,
            "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
    });
    assert!(live.await.expect("no panic").starts_with("HTTP/1.1 200"));
    shutdown.cancel();

    let ended = tokio::time::timeout(Duration::from_secs(20), serving).await;
    ended
        .expect("well before the wait ends")
        .expect("no panic")
        .expect("served");
    let answer = held.await.expect("no panic");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200"),
        "{answer}"
    );
}
