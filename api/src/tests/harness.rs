//! One service in a folder of its own, and requests to it.

mod events;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::{ALLOW, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use waybill_config::{DatabaseUrl, ExportSettings, InlineSettings, LimitSettings};
use waybill_ledger::database::Database;
use waybill_ledger::export::{Failure, FailureCode, Receipt};
use waybill_ledger::keys::Keys;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Lanes, Lease, Ledger};
use waybill_readiness::Readiness;
use waybill_report::caller::OrgId;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_report::source::sqlite::SqliteSource;
use waybill_store::Bucket;

use crate::middleware::boundary::REQUEST_ID;
use crate::watcher::places::Place;
use crate::{Access, ApiParts, ApiState, router};

pub(super) use events::Events;

/// Rows that the table of the tests has for `org_demo`.
pub(super) const ROWS: usize = 30;

const CATALOG: &str = r#"
[datasets.sessions]
description = "Sessions, grouped"
table = "sessions"
grain = "aggregate"
tenant = "org_id"
time = "started_at"
updated = "updated_at"
max_range_days = 370

[datasets.sessions.dimensions]
status = { sql = "status", type = "string" }

[datasets.sessions.measures]
session_count = { sql = "count(*)", type = "integer" }

[datasets.sessions.filters]
status = { sql = "status", type = "string" }
duration_ms = { sql = "duration_ms", type = "integer", description = "Milliseconds" }

[datasets.session_rows]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"

[datasets.session_rows.dimensions]
session_id = { sql = "session_id", type = "integer" }
status = { sql = "status", type = "string" }

# Ends only when it is stopped.
[datasets.endless]
sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, '2026-05-01' AS at FROM n WHERE i < 0"
grain = "row"
shared = true
time = "at"

[datasets.endless.dimensions]
i = { sql = "i", type = "integer" }

[datasets.wrong]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"

[datasets.wrong.dimensions]
status = { sql = "no_such_function(status)", type = "string" }

[datasets.secret]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"
roles = ["viewer"]

[datasets.secret.dimensions]
status = { sql = "status", type = "string" }
"#;

pub(super) struct Service {
    pub(super) state: ApiState,
    router: Router,
    document: Value,
    seen: Mutex<BTreeSet<(String, String, u16)>>,
    pub(super) keys: Arc<dyn Keys>,
    ledger: Arc<dyn Ledger>,
    dir: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Service {
    pub(super) async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A service with other settings than the usual ones.
    pub(super) async fn with(
        change: impl FnOnce(&mut InlineSettings, &mut ExportSettings),
    ) -> Self {
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        Self::make(dir, database, Access::Everyone, generous(), change).await
    }

    /// A service with other limits than the usual ones.
    pub(super) async fn limited(change: impl FnOnce(&mut LimitSettings)) -> Self {
        let mut limits = generous();
        change(&mut limits);
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        Self::make(dir, database, Access::Everyone, limits, |_, _| {}).await
    }

    /// A service that asks for the keys of a SQLite file.
    pub(super) async fn asking_for_keys() -> Self {
        Self::asking_for_keys_with(|_| {}).await
    }

    /// The same, where a report waits for its slot for as long as a test likes.
    pub(super) async fn asking_for_keys_with_patience() -> Self {
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        let access = Access::Keys(Arc::clone(&database.keys));
        let patient = |inline: &mut InlineSettings, _: &mut ExportSettings| {
            inline.queue_wait_ms = 600_000;
        };
        Self::make(dir, database, access, generous(), patient).await
    }

    /// The same with other limits than the usual ones.
    pub(super) async fn asking_for_keys_with(change: impl FnOnce(&mut LimitSettings)) -> Self {
        let mut limits = generous();
        change(&mut limits);
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        let access = Access::Keys(Arc::clone(&database.keys));
        Self::make(dir, database, access, limits, |_, _| {}).await
    }

    /// A service that asks for the keys of a PostgreSQL database, and keeps its exports there.
    pub(super) async fn on_postgres(url: &DatabaseUrl) -> Self {
        Database::migrate(url).await.expect("migrated");
        let database = Database::connect(url).await.expect("a database");
        let access = Access::Keys(Arc::clone(&database.keys));
        let dir = TempDir::new().expect("a folder");
        Self::make(dir, database, access, generous(), |_, _| {}).await
    }

    async fn make(
        dir: TempDir,
        database: Database,
        access: Access,
        limits: LimitSettings,
        change: impl FnOnce(&mut InlineSettings, &mut ExportSettings),
    ) -> Self {
        let source = dir.path().join("source.sqlite");
        make_source(&source);
        let storage = json!({
            "endpoint": "http://store.invalid", "region": "us-east-1", "prefix": "",
            "access_key_id": "id", "secret_access_key": "secret",
            "path_style": true, "request_checksums": true,
        });
        let storage = serde_json::from_value(storage).expect("settings");
        let mut inline = InlineSettings {
            max_rows: 20,
            max_bytes: 10_000,
            timeout_seconds: 10,
            slots: 2,
            queue_wait_ms: 0,
        };
        let mut exports = ExportSettings {
            max_rows: 1_000,
            large_rows: 100,
            max_active_per_org: 20,
            max_queued: 10,
            max_attempts: 5,
            reuse_seconds: 0,
            retention_days: 7,
            record_retention_days: 30,
            give_up_after_hours: 24,
            link_seconds: 900,
            timeout_seconds: 60,
            freshness_timeout_ms: 5_000,
            max_cell_bytes: 8 << 20,
        };
        change(&mut inline, &mut exports);
        let mut sources = Sources::default();
        sources.add("default", Arc::new(SqliteSource::new(source)));
        let bucket = Bucket::new("waybill", &storage).await;
        let readiness = Readiness::new(database.probe(), bucket.clone(), sources.clone());
        readiness.mark_catalog_checked();
        let metrics = ProcessMetrics::new("test", database.intake());
        let state = ApiState::new(ApiParts {
            catalog: Arc::new(Catalog::parse(CATALOG).expect("a catalog")),
            sources,
            ledger: database.intake(),
            changes: database.changes(),
            bucket,
            readiness,
            access,
            inline,
            exports,
            limits,
            public_url: None,
            allowed_origins: Vec::new(),
            metrics,
        });
        let (router, document) = router::router(state.clone()).expect("a router");
        Self {
            state,
            router,
            document: serde_json::to_value(document).expect("a document"),
            seen: Mutex::default(),
            keys: database.keys,
            ledger: database.ledger,
            dir,
        }
    }

    pub(super) fn document(&self) -> &Value {
        &self.document
    }

    /// Every answer so far to a documented operation: path, method, status.
    pub(super) fn seen(&self) -> BTreeSet<(String, String, u16)> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path)).await
    }

    /// GETs with more headers.
    pub(super) async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = request(Method::GET, path);
        for (name, value) in headers {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert(*name, value);
        }
        self.send(request).await
    }

    /// Sends a request without a key to an operation of the document.
    pub(super) async fn without_key(&self, method: &str, path: &str) -> Answer {
        let method = method.to_uppercase().parse().expect("a method");
        let path = path
            .replace("{id}", "export_0")
            .replace("{code}", "internal");
        self.send(request(method, &path)).await
    }

    /// POSTs JSON with more headers.
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::post(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(body.to_string());
        self.send(request.body(body).expect("a request")).await
    }

    /// Sends a request, to this service unless it says otherwise, and holds the answer against the
    /// contract and the document.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers
            .entry(HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await;
        let answer = Answer::read(response.expect("a router is infallible")).await;
        assert!(answer.headers.contains_key(REQUEST_ID), "no request id");
        if answer.status.is_client_error() || answer.status.is_server_error() {
            answer.check_problem(&method, &path);
        }
        self.check_documented(&method, &path, &answer);
        answer
    }

    fn check_documented(&self, method: &Method, path: &str, answer: &Answer) {
        let path = if path.starts_with("/api/v1/") {
            &path["/api".len()..]
        } else {
            path
        };
        let about_the_head = answer.is_about_the_head();
        let paths = self.document["paths"].as_object().expect("paths");
        let Some((template, item)) = paths.iter().find(|(template, _)| covers(template, path))
        else {
            assert!(
                about_the_head || answer.status == StatusCode::NOT_FOUND,
                "{path} is not documented: {answer:?}"
            );
            return;
        };
        let documented = if *method == Method::HEAD {
            "get"
        } else {
            &method.as_str().to_lowercase()
        };
        let Some(operation) = item.get(documented) else {
            let not_allowed = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            let told = not_allowed && answer.headers.contains_key(ALLOW);
            assert!(about_the_head || told, "{method} {path}: {answer:?}");
            return;
        };
        if *method == Method::HEAD && template.ends_with("/download") && answer.status.is_success()
        {
            // What GET answers with a redirect.
            return;
        }
        let status = answer.status.as_u16();
        let response = &operation["responses"][status.to_string()];
        if !response.is_object() && about_the_head {
            return;
        }
        assert!(
            response.is_object(),
            "{method} {template} gave an undocumented {status}"
        );
        if let Some(content_type) = answer.header(CONTENT_TYPE.as_str()) {
            let essence = content_type.split(';').next().unwrap_or_default();
            let content = &response["content"][essence];
            assert!(
                content.is_object(),
                "{method} {template} {status} as {essence}"
            );
        }
        for header in [
            "retry-after",
            "location",
            "etag",
            "preference-applied",
            "idempotent-replayed",
            "content-disposition",
            "www-authenticate",
        ] {
            let documented = response["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|name| name.eq_ignore_ascii_case(header))
            });
            let sent = answer.headers.contains_key(header);
            assert!(
                documented || !sent,
                "{method} {template} {status} sends {header}"
            );
        }
        let seen = (template.clone(), documented.to_owned(), status);
        self.seen.lock().expect("no panic").insert(seen);
    }

    /// Records an export, whatever others there are, and returns its id.
    pub(super) async fn accept(&self) -> String {
        let answer = self.post(EXPORT, &ONE_OF_ITS_OWN, &small_export()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub(super) async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/v1/exports/{id}/cancel");
        self.send(request(Method::POST, &path)).await
    }

    pub(super) async fn delete(&self, id: &str) -> Answer {
        let path = format!("/v1/exports/{id}");
        self.send(request(Method::DELETE, &path)).await
    }

    pub(super) fn ledger(&self) -> &dyn Ledger {
        self.ledger.as_ref()
    }

    /// Every place for clients that wait which the organisation gets.
    pub(super) fn places(&self) -> Vec<Place> {
        let org = OrgId::new("org_demo");
        std::iter::from_fn(|| self.state.waiting.place(&org)).collect()
    }

    /// Claims the next export, as a worker does.
    pub(super) async fn claim(&self) -> Lease {
        let claim = self
            .ledger()
            .claim_next(Duration::from_secs(60), Lanes::Any)
            .await;
        claim.expect("the ledger").expect("an export").lease
    }

    pub(super) async fn complete(&self, lease: &Lease, retention: Duration) {
        let receipt = Receipt {
            object_key: format!("exports/{}/1/csv", lease.export_id()),
            row_count: 3,
            limit_reached: false,
            size_bytes: 42,
            sha256: "ab".repeat(32),
        };
        let completed = self.ledger().complete(lease, &receipt, retention).await;
        completed.expect("the lease is good");
    }

    pub(super) async fn fail(&self, lease: &Lease) {
        let failure = Failure {
            code: FailureCode::TooManyRows,
            detail: "More than 1000 rows.".to_owned(),
        };
        let failed = self.ledger().fail(lease, &failure, None).await;
        failed.expect("the lease is good");
    }

    /// Takes the ledger's tables away.
    pub(super) fn break_ledger(&self) {
        self.drop_table("exports");
    }

    /// Takes the table of keys away.
    pub(super) fn break_keys(&self) {
        self.drop_table("api_keys");
    }

    fn drop_table(&self, table: &str) {
        self.change_behind_its_back(&format!("DROP TABLE {table}"));
    }

    /// Changes the ledger without a hint to anyone.
    pub(super) fn change_behind_its_back(&self, sql: &str) {
        let ledger = rusqlite::Connection::open(self.dir.path().join("ledger.sqlite"));
        let changed = ledger.expect("the file").execute_batch(sql);
        changed.expect("nobody writes");
    }

    /// Takes the source away.
    pub(super) fn break_source(&self) {
        std::fs::remove_file(self.dir.path().join("source.sqlite")).expect("the file");
    }
}

pub(super) const QUERY: &str = "/v1/reports/query";
pub(super) const EXPORT: &str = "/v1/reports/query/export";
/// Asks for a job that shares its export with nobody.
pub(super) const ONE_OF_ITS_OWN: [(&str, &str); 2] =
    [("prefer", "respond-async"), ("cache-control", "no-cache")];

/// A query of every row.
pub(super) fn rows_query(limit: &Value) -> Value {
    json!({
        "dataset": "session_rows", "time_range": range(), "dimensions": ["session_id"],
        "order_by": [{"dimension": "session_id"}], "limit": limit,
    })
}

/// A query that outlives every bound on its time.
pub(super) fn endless_query() -> Value {
    json!({
        "dataset": "endless",
        "dimensions": ["i"],
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    })
}

/// A query of a few rows.
pub(super) fn small_query() -> Value {
    json!({
        "dataset": "sessions", "time_range": range(), "dimensions": ["status"],
        "measures": ["session_count"], "order_by": [{"dimension": "status"}],
    })
}

pub(super) fn small_export() -> Value {
    json!({ "query": small_query() })
}

pub(super) fn range() -> Value {
    json!({ "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" })
}

pub(super) fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .body(Body::empty())
        .expect("a request")
}

impl Answer {
    pub(super) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("bodies are whole").to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code of a problem.
    pub(super) fn problem(&self) -> (u16, String) {
        let document = self.json();
        let code = document["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("no problem: {document:#}"));
        (self.status.as_u16(), code.to_owned())
    }

    /// Whether it is about the request's head, which operations do not document one by one.
    fn is_about_the_head(&self) -> bool {
        if self.body.is_empty() {
            return matches!(self.status.as_u16(), 400 | 403 | 421);
        }
        let of_the_head = |(pointer, _): &(String, String)| {
            pointer == "/headers/host"
                || pointer == "/path"
                || pointer.starts_with("/query-parameters/")
        };
        let code = if self.status.is_client_error() {
            self.problem().1
        } else {
            String::new()
        };
        match code.as_str() {
            "cross_site" | "misdirected_request" | "uri_too_long" | "headers_too_large" => true,
            "invalid_request" => {
                let faults = self.faults();
                !faults.is_empty() && faults.iter().all(of_the_head)
            }
            _ => false,
        }
    }

    /// The pointers of its faults with their codes.
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let json = self.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let faults = json["errors"].as_array().cloned().unwrap_or_default();
        faults
            .iter()
            .map(|fault| (text(&fault["pointer"]), text(&fault["code"])))
            .collect()
    }

    fn check_problem(&self, method: &Method, path: &str) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        if *method == Method::HEAD {
            assert!(self.body.is_empty());
            return;
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["instance"], *path);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        let retry_after = self.header(RETRY_AFTER.as_str());
        let seconds = problem.get("retry_after_seconds").map(Value::to_string);
        assert_eq!(retry_after, seconds.as_deref(), "{problem}");
        for action in problem["allowed_actions"].as_array().into_iter().flatten() {
            assert!(action["rel"].is_string(), "{problem}");
        }
        let text = problem.to_string();
        for internal in ["sqlite", "SELECT", "no such", "panicked", "store.invalid"] {
            assert!(!text.contains(internal), "{internal} in {text}");
        }
    }
}

/// Limits that are in nobody's way.
fn generous() -> LimitSettings {
    let limits = json!({
        "requests_per_second": 1_000_000, "burst": 1_000_000,
        "max_connections": 1_000, "max_waiting": 1_000, "max_columns": 1_600,
        "read_timeout_seconds": 60, "idle_timeout_seconds": 60,
    });
    serde_json::from_value(limits).expect("settings")
}

async fn in_file(dir: &TempDir) -> Database {
    Database::open_file(&dir.path().join("ledger.sqlite"))
        .await
        .expect("a database")
}

/// Whether a path is of this template.
fn covers(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(part, given)| part == given || (part.starts_with('{') && !given.is_empty()))
}

fn make_source(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).expect("a file");
    connection
        .execute_batch(
            "CREATE TABLE sessions (session_id INTEGER, org_id TEXT, status TEXT, duration_ms INTEGER,
                                    started_at TEXT, updated_at TEXT);",
        )
        .expect("a table");
    let day: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().expect("an instant");
    let mut insert = connection
        .prepare("INSERT INTO sessions VALUES (?1, ?2, ?3, 5, ?4, ?4)")
        .expect("a statement");
    for id in 0..ROWS as i64 * 2 {
        let org = if id < ROWS as i64 {
            "org_demo"
        } else {
            "org_other"
        };
        let status = ["completed", "failed", "=run\"ning\""][id as usize % 3];
        let at = day.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        insert
            .execute(rusqlite::params![id, org, status, at])
            .expect("a row");
    }
}
