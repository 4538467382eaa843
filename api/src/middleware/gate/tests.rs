use http::{Request, Version};

use super::*;

/// The status-like word of what becomes of a request with these headers.
fn judged(gate: &Gate, method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    word(gate, &request.body(()).expect("a request"))
}

fn word(gate: &Gate, request: &Request<()>) -> &'static str {
    match gate.judge(request) {
        Ok(()) => "passes",
        Err(Refusal::Host(HostError::Missing)) => "missing",
        Err(Refusal::Host(HostError::TwoHosts)) => "two hosts",
        Err(Refusal::Host(HostError::Malformed)) => "malformed",
        Err(Refusal::Misdirected) => "misdirected",
        Err(Refusal::CrossSite) => "cross-site",
    }
}

const PUBLIC: &str = "https://Reports.example.com/api";

#[test]
fn where_nothing_protects_only_our_own_names_are_served() {
    let gate = Gate::guarded([PUBLIC]);
    for host in [
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "waybill.localhost:8080",
        "127.0.0.1",
        "127.255.0.9:1",
        "[::1]:8080",
        "[0:0::1]",
        "reports.example.com",
        "REPORTS.example.com.:443",
    ] {
        let headers = [("host", host)];
        assert_eq!(
            judged(&gate, "GET", "/v1/exports", &headers),
            "passes",
            "{host}"
        );
        assert_eq!(
            judged(&Gate::open(), "GET", "/", &headers),
            "passes",
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.1",
        "128.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "example.com",
        "a.reports.example.com",
    ] {
        let headers = [("host", host)];
        assert_eq!(
            judged(&gate, "GET", "/livez", &headers),
            "misdirected",
            "{host}"
        );
        assert_eq!(
            judged(&Gate::open(), "GET", "/", &headers),
            "passes",
            "{host}"
        );
    }
}

#[test]
fn every_request_is_addressed_to_one_host() {
    for gate in [Gate::open(), Gate::guarded([])] {
        let of = |target: &str, hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            judged(&gate, "GET", target, &headers)
        };
        assert_eq!(of("/livez", &[]), "missing");
        assert_eq!(of("http://localhost/livez", &[]), "missing");
        assert_eq!(of("/livez", &["localhost", "localhost"]), "two hosts");
        assert_eq!(of("http://localhost/", &["127.0.0.1"]), "two hosts");
        assert_eq!(of("http://localhost:1/", &["localhost:2"]), "two hosts");
        assert_eq!(of("http://LOCALHOST:80/", &["localhost"]), "passes");
        for none in [
            "",
            " ",
            "a b",
            "http://localhost",
            "u@localhost",
            "localhost:x",
            "localhost:99999",
            ":80",
        ] {
            assert_eq!(of("/livez", &[none]), "malformed", "{none:?}");
        }
    }
}

#[test]
fn http_2_says_it_in_its_target() {
    let gate = Gate::guarded([]);
    let of = |target: &str, host: Option<&str>| {
        let mut request = Request::get(target).version(Version::HTTP_2);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        word(&gate, &request.body(()).expect("a request"))
    };
    assert_eq!(of("http://localhost:8080/", None), "passes");
    assert_eq!(of("http://evil.example/", None), "misdirected");
    assert_eq!(of("http://evil.example/", Some("localhost")), "two hosts");
    assert_eq!(of("http://localhost/", Some("evil.example")), "two hosts");
    assert_eq!(of("http://u@localhost/", None), "malformed");
    assert_eq!(of("/", None), "missing");
}

#[test]
fn http_1_0_without_a_host_is_a_probe() {
    for gate in [Gate::open(), Gate::guarded([])] {
        let of = |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request.version(Version::HTTP_10).body(());
            word(&gate, &request.expect("a request"))
        };
        for path in PROBES {
            assert_eq!(of("GET", path), "passes");
            assert_eq!(of("HEAD", path), "passes");
            assert_eq!(of("POST", path), "missing");
        }
        for path in ["/docs", "/v1/exports", "/livez/", "/"] {
            assert_eq!(of("GET", path), "missing", "{path}");
        }
    }
}

#[test]
fn only_pages_of_ours_may_ask() {
    let gate = Gate::guarded([PUBLIC]).of_pages_at(8080);
    let of = |gate: &Gate, headers: &[(&str, &str)]| {
        let headers: Vec<_> = [("host", "localhost:9000")]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        judged(gate, "POST", "/v1/reports/query", &headers)
    };
    for origin in [
        "http://localhost:9000",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "https://waybill.localhost:9000",
        "http://localhost:8080",
        "https://reports.example.com",
        "https://reports.example.com:443",
    ] {
        // A browser calls two loopback names two sites.
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        assert_eq!(of(&gate, &headers), "passes", "{origin}");
    }
    for origin in [
        "null",
        "",
        "file://",
        "http://localhost",
        "http://localhost:3000",
        "https://evil.example",
        "http://evil.example:9000",
        "http://localhost.evil.example:9000",
        "http://reports.example.com",
        "https://reports.example.com:8443",
        "http://u@localhost:9000",
        "chrome-extension://abc",
    ] {
        let headers = [("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(of(&gate, &headers), "cross-site", "{origin}");
        assert_eq!(of(&Gate::open(), &headers), "passes", "{origin}");
    }
    let two = [("origin", "http://localhost:9000"); 2];
    assert_eq!(of(&gate, &two), "cross-site");
    for (site, expected) in [
        ("cross-site", "cross-site"),
        ("same-site", "passes"),
        ("same-origin", "passes"),
        ("none", "passes"),
    ] {
        assert_eq!(of(&gate, &[("sec-fetch-site", site)]), expected, "{site}");
    }
    assert_eq!(of(&gate, &[]), "passes", "no browser");
}

#[test]
fn a_link_that_is_followed_opens_pages_and_files_but_nothing_of_the_api() {
    let api = Gate::guarded([]);
    let store = api.clone().opening_links();
    let of = |gate: &Gate, method: &str, path: &str, more: &[(&str, &str)]| {
        let headers: Vec<_> = [
            ("host", "localhost"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
        judged(gate, method, path, &headers)
    };
    assert_eq!(
        of(&store, "GET", "/waybill/exports/1/csv?X-Amz", &[]),
        "passes"
    );
    assert_eq!(
        of(&store, "POST", "/waybill/exports/1/csv", &[]),
        "cross-site"
    );
    let origin = [("origin", "https://evil.example")];
    assert_eq!(
        of(&store, "GET", "/waybill/exports/1/csv", &origin),
        "cross-site"
    );
    for path in ["/", "/docs", "/problems/internal"] {
        assert_eq!(of(&api, "GET", path, &[]), "passes", "{path}");
    }
    for path in ["/v1/exports", "/api/v1/exports", "/v1/exports/x/download"] {
        assert_eq!(of(&api, "GET", path, &[]), "cross-site", "{path}");
    }
}

#[test]
fn pages_that_are_let_in_are_told_so() {
    let app = "https://app.example.com";
    let granted = |gate: &Gate, method: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cors = gate.cors(&request.body(()).expect("a request"));
        let mut answer = HeaderMap::new();
        cors.grant(&mut answer);
        let origin = answer.get("access-control-allow-origin");
        let origin = origin.map(|origin| origin.to_str().expect("ASCII").to_owned());
        (origin, cors.answers(), answer.contains_key("vary"))
    };
    let host = ("host", "localhost:8080");
    let page = ("origin", app);
    let asks = ("access-control-request-method", "POST");
    let told = Some(app.to_owned());
    for gate in [Gate::open(), Gate::guarded([])] {
        let gate = gate.allowing([app]);
        assert_eq!(
            granted(&gate, "GET", &[host, page]),
            (told.clone(), false, true)
        );
        assert_eq!(
            granted(&gate, "OPTIONS", &[host, page]),
            (told.clone(), false, true)
        );
        assert_eq!(
            granted(&gate, "OPTIONS", &[host, page, asks]),
            (told.clone(), true, true)
        );
        for other in [
            "https://app.example.com:8443",
            "http://app.example.com",
            "null",
            "x",
        ] {
            let headers = [host, ("origin", other), asks];
            assert_eq!(
                granted(&gate, "OPTIONS", &headers),
                (None, false, true),
                "{other}"
            );
        }
        assert_eq!(granted(&gate, "GET", &[host]), (None, false, true));
        assert_eq!(
            granted(&gate, "GET", &[host, page, page]),
            (None, false, true)
        );
        let led = [host, ("origin", "null")];
        let store = gate.opening_links();
        assert_eq!(
            granted(&store, "GET", &led),
            (Some("null".to_owned()), false, true)
        );
    }
    assert_eq!(
        granted(&Gate::open(), "GET", &[host, page]),
        (None, false, false)
    );
    let led = [host, ("origin", "null")];
    assert_eq!(
        granted(&Gate::open().opening_links(), "GET", &led),
        (None, false, false)
    );
    let own = [host, ("origin", "http://127.0.0.1:8080")];
    let (origin, _, _) = granted(&Gate::guarded([]), "GET", &own);
    assert_eq!(origin.as_deref(), Some("http://127.0.0.1:8080"));
}
