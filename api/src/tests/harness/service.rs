//! One service in a folder of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use waybill_config::{DatabaseUrl, ExportSettings, InlineSettings, LimitSettings};
use waybill_ledger::database::Database;
use waybill_ledger::keys::KeyStore;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Changes, Ledger};
use waybill_readiness::Readiness;
use waybill_report::catalog::Catalog;
use waybill_report::source::Sources;
use waybill_report::source::sqlite::SqliteSource;
use waybill_store::Bucket;

use super::source::{CATALOG, make_source};
use crate::state::ApiState;
use crate::{Access, Dependencies, router};

pub(crate) struct Service {
    pub(crate) state: ApiState,
    pub(crate) router: Router,
    pub(crate) limits: LimitSettings,
    /// Ends what is held, as the end of the service does.
    pub(crate) shutdown: CancellationToken,
    pub(super) document: Value,
    pub(super) seen: Mutex<BTreeSet<(String, String, u16)>>,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) changes: Arc<dyn Changes>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) dir: TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A service with other settings than the usual ones.
    pub(crate) async fn with(
        change: impl FnOnce(&mut InlineSettings, &mut ExportSettings),
    ) -> Self {
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        Self::make(dir, database, Access::Everyone, generous(), change).await
    }

    /// A service with other limits than the usual ones.
    pub(crate) async fn limited(change: impl FnOnce(&mut LimitSettings)) -> Self {
        let mut limits = generous();
        change(&mut limits);
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        Self::make(dir, database, Access::Everyone, limits, |_, _| {}).await
    }

    /// A service that asks for the keys of a SQLite file.
    pub(crate) async fn asking_for_keys() -> Self {
        Self::asking_for_keys_with(|_| {}).await
    }

    /// The same, where a report waits for its slot for as long as a test likes.
    pub(crate) async fn asking_for_keys_with_patience() -> Self {
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        let access = Access::Keys(Arc::clone(&database.keys));
        let patient = |inline: &mut InlineSettings, _: &mut ExportSettings| {
            inline.queue_wait_ms = 600_000;
        };
        Self::make(dir, database, access, generous(), patient).await
    }

    /// The same with other limits than the usual ones.
    pub(crate) async fn asking_for_keys_with(change: impl FnOnce(&mut LimitSettings)) -> Self {
        let mut limits = generous();
        change(&mut limits);
        let dir = TempDir::new().expect("a folder");
        let database = in_file(&dir).await;
        let access = Access::Keys(Arc::clone(&database.keys));
        Self::make(dir, database, access, limits, |_, _| {}).await
    }

    /// A service that asks for the keys of a PostgreSQL database, and keeps its exports there.
    pub(crate) async fn on_postgres(url: &DatabaseUrl) -> Self {
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
        let dependencies = Dependencies {
            catalog: Arc::new(Catalog::parse(CATALOG).expect("a catalog")),
            sources,
            ledger: database.intake(),
            changes: database.changes(),
            bucket,
            readiness,
            access,
            inline,
            exports,
            limits: limits.clone(),
            public_url: None,
            allowed_origins: Vec::new(),
            metrics,
        };
        let shutdown = CancellationToken::new();
        let state = ApiState::new(dependencies, shutdown.clone());
        let (router, document) = router::router(state.clone()).expect("a router");
        Self {
            state,
            router,
            limits,
            shutdown,
            document: serde_json::to_value(document).expect("a document"),
            seen: Mutex::default(),
            changes: database.changes(),
            keys: database.keys,
            ledger: database.ledger,
            dir,
        }
    }

    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Every answer so far to a documented operation: path, method, status.
    pub(crate) fn seen(&self) -> BTreeSet<(String, String, u16)> {
        self.seen.lock().clone()
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
