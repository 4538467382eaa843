//! Connections without an HTTP client: what is sent is what a test says, byte for byte.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a condition may take to come true: it bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection to a URL's host that has sent this.
pub(crate) fn begun(url: &str, sent: impl AsRef<[u8]>) -> TcpStream {
    let rest = url.strip_prefix("http://").expect("a URL");
    let address = rest.split('/').next().expect("a host");
    let mut connection = TcpStream::connect(address).expect("a connection");
    let deadline = Some(DEADLINE);
    connection.set_read_timeout(deadline).expect("a deadline");
    // A server that has read enough may have ended it already.
    let sent = connection.write_all(sent.as_ref());
    if let Err(error) = sent {
        assert!(is_over(error.kind()), "{error}");
    }
    connection
}

/// What comes until the server ends the connection; fails when it does not.
pub(crate) fn rest_of(mut connection: TcpStream) -> String {
    let mut received = Vec::new();
    if let Err(error) = connection.read_to_end(&mut received) {
        assert!(is_over(error.kind()), "{error}");
    }
    // Where it is cut, a character may be, too.
    String::from_utf8_lossy(&received).into_owned()
}

/// The status of the answer; `None` when the server ends the connection without one.
pub(crate) fn status_of(mut connection: TcpStream) -> Option<u16> {
    const LINE: usize = "HTTP/1.1 200".len();
    let mut received = Vec::new();
    let mut buffer = [0; 64];
    while received.len() < LINE {
        match connection.read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if is_over(error.kind()) => return None,
            Err(error) => panic!("no answer: {error}"),
        }
    }
    let line = String::from_utf8_lossy(&received).into_owned();
    let status = line.split(' ').nth(1).and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    Some(status.unwrap_or_else(|| panic!("no answer: {line}")))
}

/// Whether the other side has ended a connection.
fn is_over(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
