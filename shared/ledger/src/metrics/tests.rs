//! The exposition of what every process has, and of what a worker adds, on a real ledger.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use waybill_test_services::exposition::Exposition;

use super::{Outcome, ProcessMetrics};
use crate::database::Database;
use crate::export::{FailureCode, Receipt};

/// How long a condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(30);

struct Ground {
    metrics: ProcessMetrics,
    folder: TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let database = Database::open_file(&folder.path().join("ledger.sqlite")).await;
        let intake = database.expect("a ledger").intake();
        Self {
            metrics: ProcessMetrics::new("1.2.3", intake),
            folder,
        }
    }

    async fn read(&self) -> Exposition {
        let text = self.metrics.exposition().await.expect("it has a text");
        Exposition::read(&text)
    }
}

#[tokio::test]
async fn every_family_has_a_sample_before_anything_happened() {
    let ground = Ground::new().await;
    ground.metrics.attempts();
    let read = ground.read().await;
    let families: Vec<&str> = read.families().collect();
    assert_eq!(
        families,
        [
            "waybill_build",
            "waybill_ledger_drain_exports_per_second",
            "waybill_ledger_oldest_queued_seconds",
            "waybill_ledger_queued_exports",
            "waybill_ledger_running_exports",
            "waybill_ledger_unknown_exports",
            "waybill_ledger_up",
            "waybill_log_lost_lines",
            "waybill_process_resident_memory_bytes",
            "waybill_process_start_time_seconds",
            "waybill_worker_attempts",
            "waybill_worker_exported_bytes",
            "waybill_worker_exported_rows",
            "waybill_worker_running_exports",
        ]
    );
    assert_eq!(
        read.value("waybill_build_info", &[("version", "1.2.3")]),
        1.0
    );
    assert_eq!(read.value("waybill_ledger_up", &[]), 1.0);
    for lane in ["small", "large"] {
        let lane = [("lane", lane)];
        assert_eq!(read.value("waybill_ledger_queued_exports", &lane), 0.0);
        assert_eq!(
            read.value("waybill_ledger_oldest_queued_seconds", &lane),
            0.0
        );
    }
    for outcome in Outcome::all() {
        let outcome = [("outcome", outcome.name())];
        assert_eq!(read.value("waybill_worker_attempts_total", &outcome), 0.0);
    }
    assert!(read.value("waybill_process_resident_memory_bytes", &[]) > 1e6);
    assert!(read.value("waybill_process_start_time_seconds", &[]) > 1.7e9);
}

#[tokio::test]
async fn attempts_are_counted_by_outcome_and_code() {
    let ground = Ground::new().await;
    let attempts = ground.metrics.attempts();
    let running = attempts.begin();
    attempts.ended(Outcome::Failed(FailureCode::TooManyRows));
    attempts.ended(Outcome::Retried(FailureCode::Timeout));
    attempts.ended(Outcome::Retried(FailureCode::Internal));
    attempts.published(&Receipt {
        object_key: "exports/x/1/csv".to_owned(),
        row_count: 7,
        limit_reached: false,
        size_bytes: 70,
        sha256: String::new(),
    });
    let read = ground.read().await;
    let ended = |labels: &[_]| read.value("waybill_worker_attempts_total", labels);
    assert_eq!(
        ended(&[("outcome", "failed"), ("code", "too_many_rows")]),
        1.0
    );
    assert_eq!(ended(&[("outcome", "retried")]), 2.0);
    assert_eq!(ended(&[("outcome", "completed"), ("code", "none")]), 0.0);
    assert_eq!(read.value("waybill_worker_exported_rows_total", &[]), 7.0);
    assert_eq!(read.value("waybill_worker_exported_bytes_total", &[]), 70.0);
    assert_eq!(read.value("waybill_worker_running_exports", &[]), 1.0);
    assert_eq!((attempts.count("retried"), attempts.running()), (2, 1));
    drop(running);
    assert_eq!(attempts.running(), 0);
}

#[test]
fn names_of_outcomes_are_all_of_them() {
    let mut names: Vec<&str> = Outcome::all().map(Outcome::name).collect();
    names.sort_unstable();
    names.dedup();
    let mut listed = Outcome::NAMES;
    listed.sort_unstable();
    assert_eq!(names, listed);
}

#[tokio::test]
async fn what_the_ledger_cannot_tell_is_left_out_until_it_can() {
    let ground = Ground::new().await;
    assert_eq!(ground.read().await.value("waybill_ledger_up", &[]), 1.0);
    let file = rusqlite::Connection::open(ground.folder.path().join("ledger.sqlite"));
    let file = file.expect("the file");
    for (sql, up) in [
        ("ALTER TABLE exports RENAME TO gone", 0.0),
        ("ALTER TABLE gone RENAME TO exports", 1.0),
    ] {
        file.execute_batch(sql).expect("nobody writes");
        let began = Instant::now();
        let read = loop {
            let read = ground.read().await;
            if read.value("waybill_ledger_up", &[]) == up {
                break read;
            }
            assert!(began.elapsed() < DEADLINE, "it does not become {up}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let queued = read.sum("waybill_ledger_queued_exports", &[]);
        assert_eq!(queued.is_some(), up > 0.0);
        assert_eq!(ground.metrics.backlog().await.is_some(), up > 0.0);
    }
}
