use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{Proxy, Step};
use crate::postgres::Cluster;
use crate::s3::S3;

/// What a server reads or a client hears, to its end.
fn all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that was cut ends badly, and what came before counts.
    drop(stream.read_to_end(&mut text));
    String::from_utf8(text).expect("a text")
}

/// A request on a connection of its own.
fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: s3\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(body.as_bytes()).expect("it reads");
    stream
}

fn status(answer: &str) -> Option<&str> {
    answer.split(' ').nth(1)
}

/// Whether something comes within a moment. What must not come is seen as well as can be.
fn is_silent(stream: &TcpStream) -> bool {
    let pause = Some(Duration::from_millis(100));
    stream.set_read_timeout(pause).expect("a socket");
    let waited = stream.peek(&mut [0]).is_err();
    stream.set_read_timeout(None).expect("a socket");
    waited
}

#[test]
fn it_passes_refuses_cuts_hangs_and_delays() {
    let store = S3::start();
    let proxy = Proxy::before_s3(store.address());
    let get = || ask(proxy.address(), "GET", "/", "");
    // Nobody signed it; that the store says so is what matters.
    assert_eq!(status(&all(&mut get())), Some("403"));
    proxy.delay(Duration::from_millis(10));
    assert_eq!(status(&all(&mut get())), Some("403"));

    proxy.hang();
    let mut held = get();
    assert!(is_silent(&held));
    proxy.pass();
    assert_eq!(status(&all(&mut held)), Some("403"));

    proxy.hang();
    let mut held = get();
    assert!(is_silent(&held));
    proxy.go_away();
    assert_eq!(all(&mut held), "");
    let refused = TcpStream::connect(proxy.address()).expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.refuse();
    proxy.pass();
    assert_eq!(status(&all(&mut get())), Some("403"));
}

#[tokio::test]
async fn requests_of_an_upload_are_told_apart_and_held_before_and_after() {
    const STEPS: [(Step, &str, &str); 4] = [
        (Step::UploadBegins, "POST", "/bucket/key?uploads"),
        (
            Step::FirstPart,
            "PUT",
            "/bucket/key?partNumber=1&uploadId=u",
        ),
        (
            Step::LaterPart,
            "PUT",
            "/bucket/key?partNumber=12&uploadId=u",
        ),
        (Step::UploadCompletes, "POST", "/bucket/key?uploadId=u"),
    ];
    let store = S3::start();
    let proxy = Proxy::before_s3(store.address());
    for (step, method, target) in STEPS {
        for (before, goes_on) in [(true, true), (false, true), (true, false), (false, false)] {
            let trap = if before {
                proxy.hold(step)
            } else {
                proxy.hold_answer(step)
            };
            for (other, method, target) in STEPS {
                if other != step {
                    let answer = all(&mut ask(proxy.address(), method, target, "body"));
                    assert_eq!(status(&answer), Some("403"), "{other:?} is not {step:?}");
                }
            }
            assert_eq!(trap.times(), 0);
            let mut held = ask(proxy.address(), method, target, "body");
            trap.met().await;
            assert!(is_silent(&held));
            let others = all(&mut ask(proxy.address(), method, target, "body"));
            assert_eq!(status(&others), Some("403"), "{step:?} is held once");
            if goes_on {
                trap.go_on();
                assert_eq!(status(&all(&mut held)), Some("403"), "{step:?}");
            } else {
                trap.cut();
                assert_eq!(all(&mut held), "", "{step:?}");
            }
        }
    }
}

#[tokio::test]
async fn it_answers_in_the_place_of_the_store_until_the_trap_is_lifted() {
    let store = S3::start();
    let proxy = Proxy::before_s3(store.address());
    let put = || {
        all(&mut ask(
            proxy.address(),
            "PUT",
            "/bucket/key?partNumber=3",
            "body",
        ))
    };
    let busy = proxy.answer(Step::AnyPart, 503, Some(7));
    for times in 1..=2 {
        let answer = put();
        assert_eq!(status(&answer), Some("503"));
        assert!(answer.contains("Retry-After: 7") && answer.contains("<Code>SlowDown</Code>"));
        busy.met_times(times).await;
    }
    let get = all(&mut ask(proxy.address(), "GET", "/bucket/key", ""));
    assert_eq!(status(&get), Some("403"));
    drop(busy);
    assert_eq!(status(&put()), Some("403"));
}

#[tokio::test]
async fn it_changes_one_byte_of_one_body() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let proxy = Proxy::before_s3(listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        [(); 2].map(|()| {
            let (mut client, _) = listener.accept().expect("a client");
            all(&mut client)
        })
    });
    let spoil = proxy.corrupt(Step::FirstPart);
    for _ in 0..2 {
        let client = ask(
            proxy.address(),
            "PUT",
            "/bucket/key?partNumber=1",
            "aaaaaaaa",
        );
        client
            .shutdown(std::net::Shutdown::Write)
            .expect("a socket");
        all(&mut { client });
    }
    let bodies = server.join().expect("it ends").map(|request| {
        let (_, body) = request.split_once("\r\n\r\n").expect("a request");
        body.to_owned()
    });
    assert_eq!(bodies, ["aaaa`aaa", "aaaaaaaa"]);
    spoil.met().await;
}

fn psql(cluster: &Cluster, url: &str) -> Command {
    let mut command = Command::new(cluster.programs().join("psql"));
    command
        .args(["--no-psqlrc", "--quiet", "--dbname", url])
        .args(["--command", "INSERT INTO log VALUES ('simple')"])
        .stderr(Stdio::null());
    command
}

#[tokio::test]
async fn statements_are_held_before_and_after_whatever_the_protocol() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    database.psql("CREATE TABLE log (text text)");
    let count = || database.psql("SELECT count(*) FROM log");
    let proxy = Proxy::before_postgres(cluster.address());
    let url = database.url_through(&proxy);
    let simple = || psql(cluster, &url);
    let folder = tempfile::TempDir::new().expect("a folder");
    let script = folder.path().join("insert.sql");
    std::fs::write(&script, "INSERT INTO log VALUES ('prepared');\n").expect("a script");
    let prepared = || pgbench(cluster, &url, &script);
    for (text, run) in [
        ("'simple'", &simple as &dyn Fn() -> Command),
        ("'prepared'", &prepared),
    ] {
        database.psql("TRUNCATE log");
        let before = proxy.hold(Step::Statement(text));
        let mut client = run().spawn().expect("a client");
        before.met().await;
        assert_eq!(count(), "0", "{text}");
        before.go_on();
        assert!(client.wait().expect("it ends").success(), "{text}");
        assert_eq!(count(), "1", "{text}");

        let after = proxy.hold_answer(Step::Statement(text));
        let mut client = run().spawn().expect("a client");
        after.met().await;
        assert_eq!(count(), "2", "{text}: it is done, and nobody was told");
        after.cut();
        assert!(!client.wait().expect("it ends").success(), "{text}");
        assert_eq!(count(), "2", "{text}");
    }
}

fn pgbench(cluster: &Cluster, url: &str, script: &Path) -> Command {
    let mut command = Command::new(cluster.programs().join("pgbench"));
    command
        .args([
            "--no-vacuum",
            "--protocol=prepared",
            "--transactions=1",
            "--file",
        ])
        .arg(script)
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
