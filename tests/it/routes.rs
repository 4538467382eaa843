//! Every route of the service's own document, as those meet it who may not use it, or not all of it.
//!
//! A route that is in the document and not in the table below fails the walk: whoever adds one says here
//! who may call it.

mod browsers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::harness::answer::Answer;
use crate::harness::eventually;
use crate::harness::http::{EXPORT, Http, JSON, RESPOND_ASYNC};
use crate::harness::keys::Key;
use crate::harness::launch::Launch;
use crate::harness::reports::{FROM, TO, by_status, export_of};
use crate::harness::server::Server;
use crate::harness::values::text;

/// What a route gives to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    /// The same to everyone, with a key or without.
    Everyone,
    /// To every key something of its own organisation.
    Own(Body),
    /// To every key of an admin something of its own organisation, to others nothing.
    Admins,
    /// To every key a list of the exports that it may see.
    List,
    /// One export, to those who may see it; for others there is none.
    OneExport,
}

/// What has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Nothing,
    Query,
    Export,
}

const ROUTES: [(&str, &str, Gives); 18] = [
    ("get", "/", Gives::Everyone),
    ("get", "/docs", Gives::Everyone),
    ("get", "/livez", Gives::Everyone),
    ("get", "/metrics", Gives::Everyone),
    ("get", "/openapi.json", Gives::Everyone),
    ("get", "/problems", Gives::Everyone),
    ("get", "/problems/{code}", Gives::Everyone),
    ("get", "/readyz", Gives::Everyone),
    ("get", "/v1/operations/status", Gives::Admins),
    ("get", "/v1/reports/catalog", Gives::Own(Body::Nothing)),
    ("post", "/v1/reports/query", Gives::Own(Body::Query)),
    ("post", "/v1/reports/query/export", Gives::Own(Body::Export)),
    ("get", "/v1/exports", Gives::List),
    ("get", "/v1/exports/{id}", Gives::OneExport),
    ("get", "/v1/exports/{id}/download", Gives::OneExport),
    ("get", "/v1/exports/{id}/events", Gives::OneExport),
    ("post", "/v1/exports/{id}/cancel", Gives::OneExport),
    ("delete", "/v1/exports/{id}", Gives::OneExport),
];

/// A route of the document, and what the table says of it.
#[derive(Debug)]
struct Route {
    method: String,
    path: String,
    gives: Gives,
}

/// The document's routes; fails when the table does not have exactly these.
async fn routes(http: &Http) -> Vec<Route> {
    let document = http.get("/openapi.json").await.expect(200).json();
    let mut table: BTreeMap<(&str, &str), Gives> = ROUTES
        .into_iter()
        .map(|(method, path, gives)| ((method, path), gives))
        .collect();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let operations = item.as_object().expect("a path item").iter();
        for (method, _) in operations.filter(|(_, value)| value.get("responses").is_some()) {
            let gives = table.remove(&(method.as_str(), path.as_str()));
            let gives = gives.unwrap_or_else(|| {
                panic!("{method} {path} is new: say in ROUTES what it gives to whom")
            });
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                gives,
            });
        }
    }
    assert!(table.is_empty(), "these are routes no more: {table:?}");
    routes
}

impl Route {
    async fn ask(&self, http: &Http, prefix: &str, id: &str) -> Answer {
        self.ask_with(http, prefix, id, &[]).await
    }

    fn path_of(&self, id: &str) -> String {
        self.path.replace("{id}", id).replace("{code}", "internal")
    }

    /// The same with more headers.
    async fn ask_with(
        &self,
        http: &Http,
        prefix: &str,
        id: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let path = self.path_of(id);
        let query = json!({
            "dataset": "sessions",
            "time_range": {"from": FROM, "to": TO},
            "dimensions": ["org_id"],
        });
        let body = match self.gives {
            Gives::Own(Body::Query) => query.to_string(),
            Gives::Own(Body::Export) => export_of(&query).to_string(),
            _ => String::new(),
        };
        let target = format!("{prefix}{path}");
        let headers: Vec<_> = [JSON].iter().chain(headers).copied().collect();
        http.send(&self.method, &target, &headers, body).await
    }
}

fn server() -> Server {
    Launch::new()
        .demo_rows(200)
        .env("AUTH__MODE", "keys")
        .start()
}

const ADMIN: [&str; 4] = ["--org", "org_demo", "--role", "admin"];
const VIEWER: [&str; 4] = ["--org", "org_demo", "--role", "viewer"];
const STRANGER: [&str; 4] = ["--org", "org_acme", "--role", "admin"];

/// An export in the state that is the most worth having: completed, with its file.
async fn completed(http: &Http) -> String {
    let accepted = http.submit(&export_of(&by_status())).await;
    let id = text(&accepted["id"]);
    http.completed(&id).await;
    id
}

/// The organisations that an answer names.
fn organisations(answer: &Answer) -> Vec<&'static str> {
    let mut all = Vec::from(["org_acme", "org_demo", "org_globex"]);
    all.retain(|org| answer.text().contains(org));
    all
}

#[tokio::test]
async fn no_route_gives_anything_to_who_has_no_key_in_force() {
    let server = server();
    let owner = Key::create(&server, &ADMIN);
    let [expired, revoked] = [0; 2].map(|_| Key::create(&server, &ADMIN));
    let id = completed(&owner.http(&server)).await;
    // Both were good a moment ago, which services may believe for as long as they say.
    for key in [&expired, &revoked] {
        key.http(&server).get("/v1/exports").await.expect(200);
    }
    expired.expire(&server);
    revoked.revoke(&server);
    for key in [&expired, &revoked] {
        eventually("the key is refused", async || {
            let answer = key.http(&server).get("/v1/exports").await;
            (answer.status == 401).then_some(())
        })
        .await;
    }
    let (_, tail) = owner.secret.rsplit_once('_').expect("a secret has parts");
    let wrong = owner.secret.replace(tail, &"x".repeat(tail.len()));
    let intruders = [
        ("without a key", server.http()),
        ("with a malformed key", server.http().with_key("waybill_x")),
        ("with a wrong key", server.http().with_key(&wrong)),
        ("with an expired key", expired.http(&server)),
        ("with a revoked key", revoked.http(&server)),
    ];
    let document = server.http().get("/openapi.json").await;
    let document = document.expect(200).json();
    let scheme = &document["components"]["securitySchemes"]["api_key"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    for route in routes(&server.http()).await {
        let asks_for_a_key = route.gives != Gives::Everyone;
        let method = route.method.to_lowercase();
        let security = &document["paths"][&route.path][&method]["security"];
        let expected = asks_for_a_key.then(|| json!([{"api_key": []}]));
        assert_eq!(*security, json!(expected), "{route:?}");
        for (how, http) in &intruders {
            if !asks_for_a_key {
                assert_eq!(
                    route.ask(http, "", &id).await.status,
                    200,
                    "{how}: {route:?}"
                );
                continue;
            }
            for prefix in ["", "/api"] {
                let answer = route.ask(http, prefix, &id).await;
                assert_eq!(answer.status, 401, "{how}: {answer:?}");
                assert_eq!(answer.has_header("www-authenticate"), "Bearer");
                answer.problem(401, "unauthorized");
            }
        }
    }
    let http = owner.http(&server);
    http.file_of(&http.export(&id).await).await;
}

#[tokio::test]
async fn no_route_gives_an_export_to_another_key_or_organisation() {
    let server = server();
    let owner = Key::create(&server, &VIEWER).http(&server);
    let id = completed(&owner).await;
    // This one may be met while it could still be cancelled.
    let accepted = owner.submit(&export_of(&by_status())).await;
    let queued = text(&accepted["id"]);
    let others = [
        ("org_acme", "admin", Key::create(&server, &STRANGER)),
        ("org_demo", "viewer", Key::create(&server, &VIEWER)),
    ];
    for route in routes(&server.http()).await {
        for (org, role, key) in &others {
            let http = key.http(&server);
            for prefix in ["", "/api"] {
                match route.gives {
                    Gives::Everyone => {}
                    Gives::OneExport => {
                        for id in [&id, &queued] {
                            let answer = route.ask(&http, prefix, id).await;
                            answer.problem(404, "export_not_found");
                        }
                    }
                    Gives::List => {
                        let list = route.ask(&http, prefix, &id).await.expect(200).json();
                        assert_eq!(list, json!({"data": [], "next_cursor": null}));
                    }
                    Gives::Admins if *role != "admin" => {
                        let answer = route.ask(&http, prefix, &id).await;
                        answer.problem(403, "forbidden");
                    }
                    Gives::Admins | Gives::Own(Body::Nothing) => {
                        let answer = route.ask(&http, prefix, &id).await.expect(200);
                        let mut named = organisations(&answer).into_iter();
                        assert!(named.all(|named| named == *org), "{answer:?}");
                    }
                    Gives::Own(Body::Query | Body::Export) => {
                        let answer = route.ask(&http, prefix, &id).await.expect(200);
                        assert_eq!(organisations(&answer), [*org], "{answer:?}");
                    }
                }
            }
        }
    }
    // What others tried has changed nothing.
    owner.completed(&queued).await;
    owner.file_of(&owner.export(&id).await).await;
    let admin = Key::create(&server, &ADMIN).http(&server);
    for http in [&owner, &admin] {
        let list = http.get("/v1/exports").await.expect(200);
        assert!(!list.text().contains("X-Amz-Signature"), "{list:?}");
        assert_eq!(list.json()["data"].as_array().map(Vec::len), Some(2));
        let events = http.get(&format!("/v1/exports/{id}/events")).await;
        let events = events.expect(200);
        assert!(events.text().contains("\"completed\""), "{events:?}");
        assert!(!events.text().contains("X-Amz-Signature"), "{events:?}");
    }
}

#[tokio::test]
async fn a_name_of_a_request_is_its_keys_alone() {
    let server = server();
    let mut exports = BTreeSet::new();
    for arguments in [&ADMIN, &VIEWER, &STRANGER] {
        let http = Key::create(&server, arguments).http(&server);
        let name = ("idempotency-key", "the-same");
        let headers = [RESPOND_ASYNC, name];
        for replayed in [false, true] {
            let answer = http
                .post_with(EXPORT, &headers, &export_of(&by_status()))
                .await;
            let told = answer.header("idempotent-replayed").is_some();
            assert_eq!(told, replayed, "{answer:?}");
            exports.insert(text(&answer.accepted()["id"]));
        }
    }
    assert_eq!(exports.len(), 3, "one for each key");
}
