//! `waybill health`, as a container's health check calls it: exit code 0 or 1, and one line that says why.

use std::net::TcpListener;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::launch::{Exit, Launch, command};

/// Asks for the health of what is at this URL.
fn health(url: &str) -> Exit {
    let folder = TempDir::new().expect("a folder for the test");
    let mut command = command("health", folder.path());
    command.arg(url);
    // Settings are none of its business, not even wrong ones.
    command.env("WAYBILL__API__LISTEN", "nonsense");
    Exit::of(command, folder.path())
}

/// Its one line, which is on standard error unless all is well.
fn not_ready(url: &str) -> String {
    let exit = health(url);
    assert_eq!(exit.code, Some(1), "{url}: {exit:?}");
    assert_eq!(exit.stdout, "", "{url}: {exit:?}");
    assert_eq!(exit.stderr.lines().count(), 1, "{url}: {exit:?}");
    exit.stderr
}

#[tokio::test]
async fn a_process_is_ready_until_it_misses_something() {
    let server = Launch::new().own_services().start();
    for url in [server.api().to_owned(), format!("{}/", server.api())] {
        let exit = health(&url);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert_eq!(exit.stdout, format!("{}/readyz: 200 OK\n", server.api()));
        assert_eq!(exit.stderr, "");
    }
    let alive = format!("{}/livez", server.api());
    assert_eq!(health(&alive).code, Some(0));

    server.services().cluster().stop();
    eventually("the database is missed", async || {
        let exit = health(server.api());
        (exit.code == Some(1) && exit.stderr.contains("missing: database")).then_some(())
    })
    .await;
    assert!(not_ready(server.api()).contains("503"));
    assert_eq!(health(&alive).code, Some(0));
    let other = not_ready(&format!("{}/nowhere", server.api()));
    assert!(other.contains("404"), "{other}");
    assert_eq!(
        server.http().get("/livez").await.json()["status"],
        Value::from("alive")
    );
}

#[test]
fn nobody_there_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let told = not_ready(&url);
    assert!(told.contains(&url) && told.contains("refused"), "{told}");
}

#[test]
fn a_server_that_hangs_is_not_ready() {
    // Connections are taken by the kernel, and nobody reads them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let told = not_ready(&url);
    assert!(told.contains("no answer within"), "{told}");
}

#[test]
fn what_does_not_speak_http_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        std::io::Write::write_all(&mut connection, b"SSH-2.0-OpenSSH_9.2\r\n").expect("sent");
    });
    let told = not_ready(&url);
    assert!(told.contains(&url), "{told}");
    server.join().expect("it was asked");
}

#[test]
fn nonsense_is_not_ready() {
    for (url, told) in [
        ("nonsense", "is no URL"),
        ("127.0.0.1:8080", "is no URL"),
        ("http://127.0.0.1:99999", "is no URL"),
        ("https://127.0.0.1", "https:// is not asked"),
    ] {
        let line = not_ready(url);
        assert!(line.contains(told), "{line}");
    }
}
