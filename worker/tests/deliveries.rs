//! A worker hears of exports over either database, also after an outage. The catalog is empty, so
//! that each export ends as soon as it is claimed: how it ends is not the question here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use waybill_config::DatabaseUrl;
use waybill_ledger::database::Database;
use waybill_ledger::export::{Export, ExportStatus};
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Enqueued, Lane, Ledger, NewExport, Terms};
use waybill_readiness::Readiness;
use waybill_report::caller::{OrgId, Scope};
use waybill_report::catalog::Catalog;
use waybill_report::encode::Format;
use waybill_report::source::Sources;
use waybill_report::spec::ReportSpec;
use waybill_store::Bucket;
use waybill_test_services::postgres::{Cluster, Setup};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};
use waybill_worker::Dependencies;

/// How long anything may take. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(30);

/// A worker, until it is stopped.
struct Worker {
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Worker {
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    async fn on(database: &Database) -> Self {
        let storage = json!({
            "endpoint": S3::shared().endpoint(), "region": "us-east-1", "prefix": "",
            "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY,
            "path_style": true, "request_checksums": true,
        });
        let storage = serde_json::from_value(storage).expect("settings");
        let exports = json!({
            "max_rows": 10, "large_rows": 10, "max_active_per_org": 10, "max_queued": 10, "max_attempts": 1,
            "give_up_after_hours": 1, "max_cell_bytes": 1024, "reuse_seconds": 0, "retention_days": 1, "record_retention_days": 1, "link_seconds": 60, "timeout_seconds": 60,
            "freshness_timeout_ms": 50,
        });
        let worker = json!({ "concurrency": 4, "small_slots": 0, "lease_seconds": 30 });
        let (bucket, sources) = (Bucket::new(BUCKET, &storage).await, Sources::default());
        let parts = Dependencies {
            catalog: Arc::new(Catalog::default()),
            work: database.work(),
            upkeep: database.upkeep(),
            outbox: database.outbox(),
            changes: database.changes(),
            queue: database.queue.clone(),
            readiness: Readiness::new(database.probe(), bucket.clone(), sources.clone()),
            sources,
            bucket,
            worker: serde_json::from_value(worker).expect("settings"),
            exports: serde_json::from_value(exports).expect("settings"),
            grace: DEADLINE,
            metrics: ProcessMetrics::new("test", database.intake()),
        };
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(waybill_worker::run(parts, shutdown.clone()));
        Self { shutdown, running }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let stopped = tokio::time::timeout(DEADLINE, self.running).await;
        stopped.expect("it stops").expect("no panic");
    }
}

async fn enqueue(ledger: &dyn Ledger) -> Export {
    let query = json!({
        "dataset": "gone",
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    });
    let new = NewExport {
        org: OrgId::new("a"),
        made_by: None,
        spec: ReportSpec::new(
            serde_json::from_value(query).expect("a query"),
            Format::Csv.into(),
        ),
        max_attempts: 1,
        estimated_rows: None,
        lane: Lane::Small,
    };
    let terms = Terms {
        max_queued: 1_000_000,
        max_active: 1_000_000,
        sharing: None,
        idempotency_key: None,
    };
    match ledger.enqueue(new, &terms).await.expect("the ledger") {
        Enqueued::Accepted(export) => *export,
        other => panic!("{other:?}"),
    }
}

/// Waits for the export's end.
async fn ended(ledger: &dyn Ledger, export: &Export) -> Export {
    let scope = Scope {
        org: export.org.clone(),
        made_by: None,
    };
    let end = Instant::now() + DEADLINE;
    loop {
        let found = ledger.get(&scope, export.id).await.expect("the ledger");
        let found = found.expect("it was recorded");
        if found.status == ExportStatus::Failed {
            return found;
        }
        assert!(Instant::now() < end, "it is {:?} yet", found.status);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn delivers(database: &Database) {
    let ledger = database.ledger.as_ref();
    let before = enqueue(ledger).await;
    let worker = Worker::on(database).await;
    ended(ledger, &before).await;
    for _ in 0..3 {
        let export = enqueue(ledger).await;
        ended(ledger, &export).await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_a_file_is_heard_of() {
    let dir = TempDir::new().expect("a folder");
    let database = Database::open_file(&dir.path().join("ledger.sqlite")).await;
    delivers(&database.expect("a database")).await;
}

async fn on_server(cluster: &Cluster) -> Database {
    let url = DatabaseUrl::try_from(cluster.database().url()).expect("a URL");
    Database::migrate(&url).await.expect("migrations");
    Database::connect(&url).await.expect("a URL")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_on_a_server_is_heard_of() {
    delivers(&on_server(Cluster::shared()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_go_on_after_an_outage() {
    let cluster = Setup::new().start();
    let database = on_server(&cluster).await;
    let ledger = database.ledger.as_ref();
    let worker = Worker::on(&database).await;
    let export = enqueue(ledger).await;
    ended(ledger, &export).await;

    cluster.stop();
    assert!(ledger.check().await.is_err());
    cluster.start_again();
    let end = Instant::now() + DEADLINE;
    while let Err(error) = ledger.check().await {
        assert!(Instant::now() < end, "{error}");
    }
    let export = enqueue(ledger).await;
    ended(ledger, &export).await;
    worker.stop().await;
}
