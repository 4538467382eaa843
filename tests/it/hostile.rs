//! What strangers send: whatever stands in a header, nothing panics, answers 5xx or writes an error into
//! the log, on either listener.

use std::thread;

use crate::harness::connection::{begun, status_of};
use crate::harness::http::{EXPORT, RESPOND_ASYNC};
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::Server;
use crate::harness::values::text;

/// Every header that something on the way reads, and some that one might.
const HEADERS: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Cookie",
    "Date",
    "Expect",
    "Forwarded",
    "Host",
    "HTTP2-Settings",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Last-Event-ID",
    "Origin",
    "Prefer",
    "Range",
    "Sec-Fetch-Site",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "X-Amz-Acl",
    "X-Amz-Checksum-Mode",
    "X-Amz-Content-Sha256",
    "X-Amz-Copy-Source",
    "X-Amz-Copy-Source-Range",
    "X-Amz-Date",
    "X-Amz-Decoded-Content-Length",
    "X-Amz-Request-Payer",
    "X-Amz-Security-Token",
    "X-Amz-Trailer",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Http-Method-Override",
    "X-Request-Id",
];

/// Values that one of them may not be ready for. Ends of lines would be other headers.
const VALUES: &[&[u8]] = &[
    b"",
    b"\0",
    b"\x1b[2J\x07",
    b"\xff\xfe\x80",
    "\u{202e}ü\u{85}".as_bytes(),
    b"%00%0a%0d%ff",
    b"\"",
    b",;=,;=\"\\",
    b"*",
    b"-1",
    b"0",
    b"18446744073709551615",
    b"99999999999999999999999999",
    b"1e999",
    b"NaN",
    b"bytes=-18446744073709551615",
    b"bytes=-99999999999",
    b"bytes=-0",
    b"bytes=9223372036854775807-9223372036854775807",
    b"bytes=99999999999999999999-",
    b"bytes=5-1,-1,0-0",
    b"wait=99999999999999999999, respond-async=\"",
    b"wait=-1",
    b"application/json; charset=\xff; q=1e999",
    b"text/*;q=0.9999999999999999999999, */*;q=\"",
    b"multipart/form-data; boundary=",
    b"W/\"",
    b"Thu, 99 Foo 99999 99:99:99 GMT",
    b"http://[::1",
    b"../../../etc/passwd",
    b"Bearer waybill_\xc3\xa9_'; --",
    b"Basic ====",
    b"AWS4-HMAC-SHA256 Credential=",
    b"AWS4-HMAC-SHA256 Credential=K/20260230/r/s3/aws4_request, SignedHeaders=host, Signature=0",
    b"AWS4-HMAC-SHA256 Credential=K/20260228/r/sts/aws4_request, SignedHeaders=host, Signature=0",
    b"AWS4-HMAC-SHA256 Credential=K/20260228/r/s3/aws4_request, SignedHeaders=;;, Signature=\xc3\xa9",
    b"AWS AKID:c2ln",
    b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    b"chunked, gzip",
    b"100-continue",
    b"h2c",
];

/// Parameters of a signature, and what else a store reads of a query.
const PARAMETERS: &[&str] = &[
    "X-Amz-Algorithm",
    "X-Amz-Content-Sha256",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "partNumber",
    "response-expires",
    "uploadId",
    "versionId",
];

/// Paths that a store might take for something else.
const PATHS: &[&str] = &[
    "/",
    "//",
    "/%",
    "/%00",
    "/%ff",
    "/..%2f..%2fetc/passwd",
    "/../etc",
    "/waybill",
    "/waybill/",
    "/waybill/%00",
    "/waybill/a%0ab",
    "/waybill?uploads",
    "/waybill?acl",
    "/waybill?events",
    "/waybill?Signature=x&Expires=x&AWSAccessKeyId=x",
    "/waybill?X-Amz-Signature",
    "*",
    "http://bucket.s3.example.com/a",
    "/?delete",
    "/minio/health/live",
];

/// One request with a head and a body, on a connection of its own.
#[derive(Clone)]
struct Target {
    url: String,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Target {
    fn get(url: &str, target: &str) -> Self {
        Self {
            url: url.to_owned(),
            method: "GET",
            target: target.to_owned(),
            headers: vec![("Host", url.trim_start_matches("http://").to_owned())],
            body: String::new(),
        }
    }

    fn post(url: &str, target: &str, body: String) -> Self {
        let mut post = Self::get(url, target);
        post.method = "POST";
        post.headers
            .push(("Content-Type", "application/json".to_owned()));
        post.headers
            .push(("Content-Length", body.len().to_string()));
        post.body = body;
        post
    }

    /// The request with this header instead of its own of that name.
    fn with(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let mut request = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (own, value) in &self.headers {
            if !own.eq_ignore_ascii_case(name) {
                request.extend_from_slice(format!("{own}: {value}\r\n").as_bytes());
            }
        }
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(self.body.as_bytes());
        request
    }

    fn is_served(&self, name: &str, value: &[u8]) {
        let shown = String::from_utf8_lossy(value).into_owned();
        let status = status_of(begun(&self.url, self.with(name, value)));
        assert!(
            status.is_none_or(|status| status < 500),
            "{} {} with {name}: {shown:?} is answered with {status:?}",
            self.method,
            self.target
        );
    }
}

/// What is open to strangers, with a path that works.
async fn targets(server: &Server) -> Vec<Target> {
    let http = server.http();
    let accepted = http
        .post_with(EXPORT, &[RESPOND_ASYNC], &export_of(&by_status()))
        .await
        .accepted();
    let export = http.completed(&text(&accepted["id"])).await;
    let path = format!("/v1/exports/{}", text(&export["id"]));
    let mut targets = vec![
        Target::get(server.api(), &path),
        Target::get(server.api(), &format!("{path}/download")),
        Target::get(server.api(), "/v1/exports?limit=1"),
        Target::post(server.api(), EXPORT, export_of(&by_status()).to_string()),
    ];
    if server.is_one_process() {
        let link = text(&export["download"]["url"]);
        let target = link.strip_prefix(server.s3()).expect("a link to the store");
        targets.push(Target::get(server.s3(), target));
        targets.push(Target::get(server.s3(), "/waybill/a"));
        targets.push(Target::post(server.s3(), "/waybill", "x=y".to_owned()));
    }
    targets
}

/// Fails if something of what was sent was an error of ours.
async fn is_well(server: &mut Server) {
    server.http().get("/livez").await.expect(200);
    assert!(server.terminate().success());
    let log = server.logged();
    for word in ["ERROR", "panicked"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(word)).collect();
        assert!(
            lines.is_empty(),
            "{} lines such as {}",
            lines.len(),
            lines[0]
        );
    }
}

fn launch() -> Launch {
    Launch::new()
        .env("LIMITS__READ_TIMEOUT_SECONDS", 1)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 5)
        // Whoever would hear of a stranger through a library.
        .env("LOG__FILTER", "info")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_stranger_is_an_error_of_ours() {
    let mut server = launch().start();
    let targets = targets(&server).await;
    let walk = tokio::task::spawn_blocking(move || {
        thread::scope(|threads| {
            for target in &targets {
                threads.spawn(move || {
                    for name in HEADERS {
                        for value in VALUES {
                            target.is_served(name, value);
                        }
                        target.is_served(name, "x".repeat(30_000).as_bytes());
                        target.is_served(name, "a=1, ".repeat(5_000).as_bytes());
                    }
                });
            }
        });
    });
    walk.await.expect("every request is served");
    is_well(&mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_of_a_stranger_is_an_error_of_the_store() {
    let mut server = launch().start();
    if !server.is_one_process() {
        return;
    }
    let link = targets(&server).await.swap_remove(4);
    let (path, query) = link.target.split_once('?').expect("a link has a query");
    let mut paths: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).collect();
    for name in PARAMETERS {
        for value in VALUES {
            let value: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
            let others = query.split('&').filter(|pair| !pair.starts_with(name));
            let others: Vec<&str> = others.collect();
            paths.push(format!("{path}?{}&{name}={value}", others.join("&")));
            paths.push(format!("{path}?{query}&{name}={value}"));
        }
    }
    let walk = tokio::task::spawn_blocking(move || {
        for target in paths {
            for method in ["GET", "PUT", "POST", "DELETE", "OPTIONS", "BREW"] {
                let target = target.clone();
                let request = Target {
                    method,
                    target,
                    ..link.clone()
                };
                request.is_served("Content-Length", b"0");
            }
        }
    });
    walk.await.expect("every request is served");
    is_well(&mut server).await;
}
