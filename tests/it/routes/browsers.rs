//! Every route, as a browser may reach it on behalf of a page that is not ours, and as a request that
//! cannot be told to be ours. The table is the walk's; who may call with a key is not asked here.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use reqwest::{Client, redirect};

use super::{ADMIN, Body, Gives, Route, completed, routes};
use crate::harness::answer::{Answer, faults};
use crate::harness::http::{Http, JSON};
use crate::harness::keys::Key;
use crate::harness::launch::{Deployment, Launch};
use crate::harness::raw;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::Server;
use crate::harness::values::text;

const PUBLIC_URL: &str = "https://reports.example.com/api";
const PUBLIC_HOST: &str = "reports.example.com";

/// A server that asks for no keys.
fn trusting() -> Server {
    Launch::new()
        .demo_rows(200)
        .env("API__PUBLIC_URL", PUBLIC_URL)
        .start()
}

fn address(base: &str) -> SocketAddr {
    let address = base.strip_prefix("http://").expect("a URL of HTTP");
    address.parse().expect("an address")
}

/// A client that reaches an address by another name, as a browser does whose resolver says so.
fn by_name(base: &str, name: &str, http_2: bool) -> Http {
    let address = address(base);
    let mut client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .resolve(name, address);
    if http_2 {
        client = client.http2_prior_knowledge();
    }
    let client = client.build().expect("a client without TLS always builds");
    Http::over(client, &format!("http://{name}:{}", address.port()))
}

/// Where a route is served.
fn prefixes(route: &Route) -> &'static [&'static str] {
    if route.path.starts_with("/v1/") {
        &["", "/api"]
    } else {
        &[""]
    }
}

#[tokio::test]
async fn without_keys_only_our_own_names_are_served() {
    let server = trusting();
    let id = completed(&server.http()).await;
    for route in routes(&server.http()).await {
        for prefix in prefixes(&route) {
            for name in [
                "rebound.example",
                "localhost.rebound.example",
                "127.0.0.1.nip.example",
            ] {
                for http_2 in [false, true] {
                    let http = by_name(server.api(), name, http_2);
                    let answer = route.ask(&http, prefix, &id).await;
                    answer.problem(421, "misdirected_request");
                }
            }
        }
    }
    // What a stranger tried has changed nothing.
    server.http().completed(&id).await;
    for http_2 in [false, true] {
        for name in ["localhost", "waybill.localhost", PUBLIC_HOST] {
            let http = by_name(server.api(), name, http_2);
            http.get("/v1/exports").await.expect(200);
        }
    }
    let keys = Launch::new().env("AUTH__MODE", "keys").start();
    let http = by_name(keys.api(), "any.example", false);
    http.get("/livez").await.expect(200);
    http.get("/v1/exports").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn without_keys_no_page_of_another_site_may_ask() {
    let server = trusting();
    let http = server.http();
    let id = completed(&http).await;
    let port = address(server.api()).port();
    let other_port = format!("http://localhost:{}", port ^ 1);
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://reports.example.com"),
        ("origin", &other_port),
        ("sec-fetch-site", "cross-site"),
    ];
    for route in routes(&http).await {
        for prefix in prefixes(&route) {
            for header in foreign {
                let answer = route.ask_with(&http, prefix, &id, &[header]).await;
                answer.problem(403, "cross_site");
            }
            // A preflight is no way in either.
            let asks = [foreign[0], ("access-control-request-method", "POST")];
            let target = format!("{prefix}{}", route.path_of(&id));
            let preflight = http.send("OPTIONS", &target, &asks, "").await;
            assert!(preflight.header("access-control-allow-origin").is_none());
            preflight.problem(403, "cross_site");
        }
    }
    http.completed(&id).await;

    let own = [
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://[::1]:{port}"),
        "https://reports.example.com".to_owned(),
    ];
    for origin in &own {
        let headers = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "cross-site"),
        ];
        http.get_with("/v1/exports", &headers).await.expect(200);
        let query = by_status();
        let answer = http.post_with("/v1/reports/query", &headers, &query);
        answer.await.expect(200);
    }
    for site in ["same-origin", "same-site", "none"] {
        let headers = [("sec-fetch-site", site)];
        http.get_with("/v1/exports", &headers).await.expect(200);
    }
    // A link to a page for people may stand anywhere; one to an export shows nothing to its page, either,
    // but there is no need for it.
    let followed = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ];
    http.get_with("/docs", &followed).await.expect(200);
    let answer = http.get_with("/v1/exports", &followed).await;
    answer.problem(403, "cross_site");

    // Where keys protect, a page can do no more than who has its key.
    let keys = Launch::new().env("AUTH__MODE", "keys").start();
    let holder = Key::create(&keys, &ADMIN).http(&keys);
    for header in foreign {
        holder.get_with("/v1/exports", &[header]).await.expect(200);
    }
}

#[tokio::test]
async fn every_request_is_addressed_to_one_host() {
    for mode in ["none", "keys"] {
        let server = Launch::new().env("AUTH__MODE", mode).start();
        for route in routes(&server.http()).await {
            let path = route.path_of("export_0");
            let line = |version: &str| format!("{} {path} HTTP/{version}", route.method);
            let modern = line("1.1");
            for hosts in [
                &[][..],
                &["Host: localhost", "Host: localhost"],
                &["Host: localhost", "host: 127.0.0.1"],
                &["Host:"],
                &["Host: a b"],
                &["Host: user@localhost"],
            ] {
                let lines: Vec<&str> = [modern.as_str()].iter().chain(hosts).copied().collect();
                let answer = raw::exchange(server.api(), &lines).await;
                let problem = answer.problem(400, "invalid_request");
                assert_eq!(problem["errors"][0]["pointer"], "/headers/host");
            }
            let old = raw::exchange(server.api(), &[&line("1.0")]).await;
            match path.as_str() {
                "/livez" | "/readyz" | "/metrics" => assert_eq!(old.status, 200, "{old:?}"),
                _ => drop(old.problem(400, "invalid_request")),
            }
            let two = [line("1.0"), "Host: localhost".to_owned()];
            let two = [&two[0], &two[1], &two[1]].map(String::as_str);
            let answer = raw::exchange(server.api(), &two).await;
            answer.problem(400, "invalid_request");
        }
        let whole = format!(
            "GET http://localhost:{}/livez HTTP/1.1",
            address(server.api()).port()
        );
        let other = raw::exchange(server.api(), &[&whole, "Host: 127.0.0.1"]).await;
        other.problem(400, "invalid_request");
    }
}

#[tokio::test]
async fn control_characters_are_in_no_path_and_no_parameter() {
    let server = Launch::new().demo_rows(200).start();
    let http = server.http();
    let id = completed(&http).await;
    for route in routes(&http).await {
        for prefix in prefixes(&route) {
            let path = format!("{prefix}{}", route.path_of(&id));
            for (target, pointer) in [
                (format!("{path}?dataset=%00"), "/query-parameters/dataset"),
                (
                    format!("{path}?a=b&cursor=x%0Ay"),
                    "/query-parameters/cursor",
                ),
                (format!("{path}?status=%C2%80"), "/query-parameters/status"),
                (format!("{path}?%00=1"), "/query-parameters/"),
                (format!("{path}%00"), "/path"),
                (path.replacen('/', "/%7F", 1), "/path"),
            ] {
                let answer = http.send(&route.method, &target, &[], "").await;
                let problem = answer.problem(400, "invalid_request");
                let found = faults(&problem);
                let expected = (pointer.to_owned(), "invalid_request".to_owned());
                assert_eq!(found, BTreeSet::from([expected]), "{target}");
            }
        }
    }
    http.get("/v1/exports?dataset=%F0%9F%92%A9%27")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_member_that_stands_twice_is_a_fault_in_every_body() {
    let server = Launch::new().demo_rows(200).start();
    let http = server.http();
    for route in routes(&http).await {
        let (body, at) = match route.gives {
            Gives::Own(Body::Query) => (by_status().to_string(), ""),
            Gives::Own(Body::Export) => (export_of(&by_status()).to_string(), "/query"),
            _ => continue,
        };
        let cases = [
            (r#""dataset":"#, r#""dataset":"x","dataset":"#, "/dataset"),
            (r#""from":"#, r#""from":1,"from":"#, "/time_range/from"),
            (
                r#""dataset":"#,
                r#""nope":[{"a":1,"a":2}],"dataset":"#,
                "/nope/0/a",
            ),
        ];
        for (member, twice, pointer) in cases {
            let body = body.replacen(member, twice, 1);
            let answer = http.send(&route.method, &route.path, &[JSON], body).await;
            let problem = answer.any_problem();
            assert_eq!(problem["status"], 400, "{problem:#}");
            let expected = (format!("{at}{pointer}"), "invalid_request".to_owned());
            assert!(faults(&problem).contains(&expected), "{problem:#}");
        }
    }
}

const APP: &str = "https://app.example.com";

/// A server that lets pages of [`APP`] ask.
fn with_an_app(mode: &str) -> Server {
    Launch::new()
        .demo_rows(200)
        .env("AUTH__MODE", mode)
        .env("API__ALLOWED_ORIGINS", format!("[\"{APP}\"]"))
        .start()
}

#[track_caller]
fn assert_lets_in(answer: &Answer, origin: &str) {
    assert_eq!(answer.has_header("access-control-allow-origin"), origin);
    let vary = answer.headers.get_all("vary").iter();
    let mut vary = vary.flat_map(|value| value.to_str().expect("ASCII").split(','));
    assert!(vary.any(|name| name.trim() == "origin"), "{answer:?}");
    let credentials = "access-control-allow-credentials";
    assert!(answer.header(credentials).is_none(), "{answer:?}");
}

#[tokio::test]
async fn a_page_that_is_let_in_may_ask_every_route_and_read_what_it_says() {
    for mode in ["none", "keys"] {
        let server = with_an_app(mode);
        let http = match mode {
            "keys" => Key::create(&server, &ADMIN).http(&server),
            _ => server.http(),
        };
        let id = completed(&http).await;
        let page = ("origin", APP);
        for route in routes(&http).await {
            for prefix in prefixes(&route) {
                let target = format!("{prefix}{}", route.path_of(&id));
                let asks = [
                    page,
                    ("access-control-request-method", route.method.as_str()),
                    (
                        "access-control-request-headers",
                        "authorization,content-type,prefer",
                    ),
                    ("sec-fetch-site", "cross-site"),
                ];
                // Without the key, as browsers ask.
                let without_key = server.http();
                let preflight = without_key.send("OPTIONS", &target, &asks, "").await;
                let preflight = preflight.expect(204);
                assert_lets_in(&preflight, APP);
                let methods = preflight.has_header("access-control-allow-methods");
                assert!(methods.contains(&route.method), "{methods}");
                let headers = preflight.has_header("access-control-allow-headers");
                for header in ["authorization", "content-type", "prefer", "idempotency-key"] {
                    assert!(headers.contains(header), "{header} in {headers}");
                }
                if route.method == "DELETE" {
                    continue;
                }
                let answer = route.ask_with(&http, prefix, &id, &[page]).await;
                assert!(answer.status < 500, "{answer:?}");
                assert_lets_in(&answer, APP);
                let exposed = answer.has_header("access-control-expose-headers");
                for header in [
                    "location",
                    "retry-after",
                    "etag",
                    "preference-applied",
                    "content-disposition",
                    "repr-digest",
                    "x-request-id",
                ] {
                    assert!(exposed.contains(header), "{header} in {exposed}");
                }
                let other = ("origin", "https://evil.example");
                let answer = route.ask_with(&http, prefix, &id, &[other]).await;
                let allowed = answer.header("access-control-allow-origin");
                assert_eq!(allowed, None, "{answer:?}");
                if mode == "none" {
                    answer.problem(403, "cross_site");
                }
            }
        }
        // Also what is refused is for the page to read.
        let refused = http.get_with("/v1/exports?limit=0", &[page]).await;
        assert_lets_in(&refused, APP);
        let stranger = server.http().get_with("/v1/exports/none", &[page]).await;
        assert_lets_in(&stranger, APP);
    }
    // Pages of our own that go by another loopback name.
    let server = Launch::new().start();
    let own = format!("http://localhost:{}", address(server.api()).port());
    let headers = [("origin", own.as_str())];
    let answer = server.http().get_with("/v1/exports", &headers).await;
    assert_lets_in(&answer.expect(200), &own);
}

#[tokio::test]
async fn a_page_that_is_let_in_may_read_files_of_the_embedded_store() {
    if crate::DEPLOYMENT != Deployment::Embedded {
        return;
    }
    for mode in ["none", "keys"] {
        let server = with_an_app(mode);
        let http = match mode {
            "keys" => Key::create(&server, &ADMIN).http(&server),
            _ => server.http(),
        };
        let export = http.export(&completed(&http).await).await;
        let link = text(&export["download"]["url"]);
        let file = http.file_of(&export).await;
        // A browser hides the page's origin once it was led from the API to the store.
        for origin in [APP, "null"] {
            let page = ("origin", origin);
            let answer = http.get_with(&link, &[page]).await.expect(200);
            assert_lets_in(&answer, origin);
            let exposed = answer.has_header("access-control-expose-headers");
            assert!(exposed.contains("content-disposition"), "{exposed}");
            assert_eq!(answer.body, file);
            let asks = [
                page,
                ("access-control-request-method", "GET"),
                ("access-control-request-headers", "range"),
            ];
            let preflight = http.send("OPTIONS", &link, &asks, "").await.expect(204);
            assert_lets_in(&preflight, origin);
            let unsigned = link.split('?').next().expect("a path");
            let refused = http.get_with(unsigned, &[page]).await;
            assert_eq!(refused.status, 403, "{refused:?}");
        }
        let other = http
            .get_with(&link, &[("origin", "https://evil.example")])
            .await;
        assert_eq!(other.header("access-control-allow-origin"), None);
    }
}

/// A link to a file of the embedded store, which has no other door.
#[tokio::test]
async fn the_embedded_store_is_as_careful_as_the_api() {
    if crate::DEPLOYMENT != Deployment::Embedded {
        return;
    }
    let server = Launch::new().demo_rows(200).start();
    let http = server.http();
    let id = completed(&http).await;
    let export = http.export(&id).await;
    let link = text(&export["download"]["url"]);
    let file = http.file_of(&export).await;
    let get = async |headers: &[(&str, &str)]| http.get_with(&link, headers).await;

    let path = link.strip_prefix(server.s3()).expect("of the store");
    for http_2 in [false, true] {
        let rebound = by_name(server.s3(), "rebound.example", http_2);
        assert_refused(&rebound.get(path).await, 421);
        assert_refused(&rebound.get("/").await, 421);
    }
    let head = |path: &str| format!("GET {path} HTTP/1.1");
    assert_eq!(raw::exchange(server.s3(), &[&head(path)]).await.status, 400);
    let two = [&head("/"), "Host: localhost", "Host: localhost"];
    assert_eq!(raw::exchange(server.s3(), &two).await.status, 400);

    let cross_site = ("sec-fetch-site", "cross-site");
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        cross_site,
    ] {
        assert_refused(&get(&[header]).await, 403);
        let mode = ("sec-fetch-mode", "cors");
        assert_refused(&get(&[header, mode]).await, 403);
    }
    // A link that somebody follows, wherever it stands; and a page of the API.
    let navigates = ("sec-fetch-mode", "navigate");
    assert_eq!(get(&[cross_site, navigates]).await.expect(200).body, file);
    let put = http.send("PUT", &link, &[cross_site, navigates], "").await;
    assert_refused(&put, 403);
    let port = address(server.api()).port();
    for host in ["localhost", "127.0.0.1"] {
        let origin = format!("http://{host}:{port}");
        let answer = get(&[("origin", &origin), cross_site]).await;
        assert_eq!(answer.expect(200).body, file);
    }
}

/// As a store refuses, without a word about the file.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.media_type(), "application/xml", "{answer:?}");
    assert!(answer.text().contains("<Error><Code>"), "{answer:?}");
}
