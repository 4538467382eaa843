//! Requests that are nearly right, and some that are not right at all.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::super::harness::{EXPORT, QUERY, rows_query, small_export, small_query};
use crate::request::prefer::Preferences;

/// Stands in a path for the id of an export that there is.
const KNOWN: &str = "KNOWN";

/// A request before it is one.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Sent {
    /// The request; `None` when HTTP has no such target.
    pub(super) fn request(&self, known: &str) -> Option<Request<Body>> {
        // Others ask about it later.
        let known = if self.method == Method::DELETE {
            "gone"
        } else {
            known
        };
        let target = self.target.replace(KNOWN, known);
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.uri_mut() = target.parse::<Uri>().ok()?;
        *request.method_mut() = self.method.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if self.method == Method::POST && Preferences::of(headers).wait().is_some() {
            // No worker would end the wait.
            headers.remove("prefer");
        }
        Some(request)
    }
}

pub(super) fn requests() -> impl Strategy<Value = Sent> {
    let method = prop_oneof![
        4 => select(vec![Method::GET, Method::POST]),
        1 => select(vec![Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH, Method::TRACE]),
        1 => "[A-Z]{1,8}".prop_map(|name| name.parse().expect("a method")),
    ];
    let anything = (method, target(), vec(header(), 0..4), body());
    let report = (
        select(&[QUERY, EXPORT, EXPORT][..]),
        vec(header(), 0..4),
        body(),
    )
        .prop_map(|(target, mut headers, body)| {
            let json = HeaderValue::from_static("application/json");
            headers.insert(0, (CONTENT_TYPE, json));
            (Method::POST, target.to_owned(), headers, body)
        });
    prop_oneof![anything, report].prop_map(|(method, target, headers, body)| Sent {
        method,
        target,
        headers,
        body,
    })
}

fn target() -> impl Strategy<Value = String> {
    let id = || {
        prop_oneof![
            2 => Just(KNOWN.to_owned()),
            1 => "export_[0-9a-f]{32}",
            1 => text().prop_map(|text| encoded(&format!("{text}-"))),
        ]
    };
    let export = (
        id(),
        select(&["", "/", "/download", "/cancel", "/events", "/nothing"][..]),
    )
        .prop_map(|(id, what)| format!("/v1/exports/{id}{what}"));
    let fixed = select(
        &[
            "/v1/exports",
            "/v1/reports/catalog",
            QUERY,
            EXPORT,
            "/livez",
            "/openapi.json",
            "/docs",
            "/problems/internal",
            "/",
        ][..],
    )
    .prop_map(str::to_owned);
    let path = prop_oneof![
        3 => fixed,
        3 => export,
        1 => text().prop_map(|text| format!("/problems/{}", encoded(&text))),
        1 => "/[a-z0-9%./~!$&'()*+,;=:@-]{0,24}",
    ];
    let query = prop_oneof![
        2 => Just(String::new()),
        1 => "[?][a-z0-9%/~!$&'()*+,;=:@?-]{0,24}",
    ];
    (select(&["", "", "/api"][..]), path, query)
        .prop_map(|(prefix, path, query)| format!("{prefix}{path}{query}"))
}

fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let name = select(
        &[
            "accept",
            "prefer",
            "if-none-match",
            "last-event-id",
            "authorization",
            "host",
            "x-request-id",
            "content-type",
            "content-encoding",
            "content-length",
            "transfer-encoding",
            "expect",
            "cache-control",
            "idempotency-key",
            "cookie",
            "range",
            "origin",
            "x-forwarded-for",
            "x-forwarded-host",
            "forwarded",
        ][..],
    );
    let value = header_value(&[
        "text/csv",
        "application/json",
        "*/*",
        "respond-async",
        "wait=5",
        "no-cache",
        "W/\"1-queued\"",
        "localhost",
        "[::1]:80",
        "a:b@c:99999",
        "100-continue",
        "gzip",
        "0",
        "18446744073709551616",
        "Bearer x",
        ",",
        ";",
        "=",
        "\"",
        " ",
    ]);
    (name, value).prop_map(|(name, value)| (HeaderName::from_static(name), value))
}

/// Any value that a header may have, often of pieces with a meaning.
pub(super) fn header_value(pieces: &[&'static str]) -> impl Strategy<Value = HeaderValue> + use<> {
    let known = select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    let allowed = prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8];
    let piece = prop_oneof![4 => known, 1 => vec(allowed, 0..8)];
    vec(piece, 0..6).prop_map(|pieces| {
        HeaderValue::from_bytes(&pieces.concat()).expect("nothing but what is allowed")
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let valid = select(vec![
        small_export(),
        small_query(),
        rows_query(&json!(10)),
        json!({ "query": rows_query(&Value::Null) }),
        json!({ "query": rows_query(&json!(15)), "format": "json" }),
    ]);
    let inserted = select(vec![
        &b""[..],
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\\",
        b"\\ud800",
        b"\0",
        b"\xff",
        b"null",
        b"1e999",
        b"\"limit\":1,",
        b"[[[[[[[[[[[[[[[[",
    ]);
    let change = (any::<Index>(), 0..6_usize, inserted);
    let changed = (valid, vec(change, 0..3)).prop_map(|(body, changes)| {
        let mut bytes = body.to_string().into_bytes();
        for (at, cut, inserted) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, inserted.iter().copied());
        }
        bytes
    });
    prop_oneof![
        1 => Just(Vec::new()),
        4 => changed,
        1 => vec(any::<u8>(), 0..64),
    ]
}

/// Any text, short.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z0-9'\"%/~;.\\x00 é-]{0,16}",
        1 => "\\PC{0,16}",
    ]
}

/// As it stands in a path or a query.
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
