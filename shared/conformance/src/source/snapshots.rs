//! What a snapshot sees, in which batches, and what becomes of one that is dropped.

use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::json;
use waybill_report::source::{BATCH_ROWS, SourceError};

use super::backend::Backend;
use super::report::{SIZES, open, plan, rows, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    many_rows_come_in_batches(&fresh().await).await;
    a_snapshot_does_not_see_later_writes(&fresh().await).await;
    freshness_is_looked_for_only_where_it_may_be(&fresh().await).await;
    a_dropped_snapshot_spoils_no_other(&fresh().await).await;
}

/// So many rows that every source has to stop and wait for its reader.
const MANY: usize = 200_000;

fn many(backend: &impl Backend) {
    backend.execute(&format!(
        "INSERT INTO things (org, at, i)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         SELECT 'a', '2026-01-05T00:00:00Z', i FROM n"
    ));
}

async fn many_rows_come_in_batches(backend: &impl Backend) {
    many(backend);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i", "s"] }));
    let mut snapshot = open(&sources(backend.source()), &plan)
        .await
        .expect("a snapshot");
    let mut sizes = Vec::new();
    while let Some(batch) = snapshot.next().await {
        sizes.push(batch.expect("a batch").num_rows());
    }
    assert_eq!(sizes.iter().sum::<usize>(), MANY);
    assert!(sizes.iter().all(|rows| (1..=BATCH_ROWS).contains(rows)));
    assert!(sizes.len() <= MANY / BATCH_ROWS + 1, "batches are full");
}

async fn a_snapshot_does_not_see_later_writes(backend: &impl Backend) {
    backend.execute("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05T00:00:00Z', 1)");
    let before = chrono::Utc::now();
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let sources = sources(backend.source());
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    backend.execute("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-06T00:00:00Z', 2)");
    let updated = snapshot
        .source_updated_at
        .map(|updated| updated.to_rfc3339());
    assert_eq!(updated.as_deref(), Some("2026-01-05T00:00:00+00:00"));
    assert!((before..=chrono::Utc::now()).contains(&snapshot.materialized_at));
    assert_eq!(rows(snapshot).await.expect("whole"), 1);
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    assert_eq!(rows(snapshot).await.expect("whole"), 2, "the next one does");
}

async fn freshness_is_looked_for_only_where_it_may_be(backend: &impl Backend) {
    let sources = sources(backend.source());
    let updated = async |dataset: &str, dimension: &str, budget: Duration| {
        let query = json!({ "dataset": dataset, "dimensions": [dimension] });
        let snapshot = sources.open(&plan(query), 10, SIZES, budget).await;
        snapshot.expect("a snapshot").source_updated_at
    };
    let budget = Duration::from_secs(2);
    assert_eq!(updated("things", "i", budget).await, None, "no row");
    backend.execute(
        "INSERT INTO things (org, at) VALUES ('a', '2025-01-05T00:00:00Z'), ('b', '2026-01-05T00:00:00Z')",
    );
    assert!(
        updated("things", "i", budget).await.is_some(),
        "outside of the range too"
    );
    assert_eq!(
        updated("things", "i", Duration::ZERO).await,
        None,
        "no time"
    );
    assert_eq!(
        updated("groups", "s", budget).await,
        None,
        "no update column"
    );
}

async fn a_dropped_snapshot_spoils_no_other(backend: &impl Backend) {
    many(backend);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let sources = sources(backend.source());
    for _ in 0..10 {
        let mut snapshot = open(&sources, &plan).await.expect("a snapshot");
        let first: Option<Result<RecordBatch, SourceError>> = snapshot.next().await;
        assert!(matches!(first, Some(Ok(_))));
        drop(snapshot);
    }
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    assert_eq!(rows(snapshot).await.expect("undisturbed"), MANY);
}
