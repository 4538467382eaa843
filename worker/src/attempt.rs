//! One attempt at one export, from the plan to the receipt: the pipe, top to bottom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use waybill_ledger::export::{Export, Receipt};
use waybill_ledger::{Lease, Ledger, LedgerError, SnapshotRecord};
use waybill_report::catalog::Catalog;
use waybill_report::encode::{EncodeError, Trailer, encoder, slices};
use waybill_report::freshness::freshness_lag;
use waybill_report::query::{Rejection, ReportPlan};
use waybill_report::size::SizeLimits;
use waybill_report::source::{RowEstimate, Snapshot, SourceError, Sources};
use waybill_store::{Bucket, BucketError, Upload};

use crate::lease::LiveProgress;
use crate::metrics::WorkerMetrics;

/// A row of more bytes is written into parts bit by bit.
const LARGE_ROW_BYTES: usize = 1024 * 1024;

/// What every attempt works with.
pub(crate) struct Pipeline {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) sources: Sources,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) bucket: Bucket,
    pub(crate) max_rows: u64,
    pub(crate) sizes: SizeLimits,
    pub(crate) freshness_budget: Duration,
    pub(crate) metrics: WorkerMetrics,
}

/// Why an attempt came to nothing. [`verdict`](crate::verdict) says what follows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    #[error("the catalog no longer accepts the query: {0}")]
    Plan(#[from] Rejection),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the rows cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Store(#[from] BucketError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the result has more than {0} rows")]
    TooManyRows(u64),
    #[error("it took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("it panicked: {0}")]
    Panic(String),
    #[error("this process is shutting down")]
    Interrupted,
}

impl Pipeline {
    /// Reads, encodes and stores a claimed export. The object exists afterwards; publishing it is
    /// the caller's.
    pub(crate) async fn run(
        &self,
        export: &Export,
        lease: &Lease,
        progress: &LiveProgress,
    ) -> Result<Receipt, AttemptError> {
        let began = Instant::now();
        let plan = self
            .catalog
            .plan_again(&export.query, export.format, &export.org)?;
        let estimated_rows = self.estimate(&plan).await;
        let snapshot = self
            .sources
            .open(
                &plan,
                self.max_rows.saturating_add(1),
                self.sizes,
                self.freshness_budget,
            )
            .await?;
        self.metrics.snapshot_opened(began);
        let object_key = lease.object_key(export.format);
        let record = SnapshotRecord {
            materialized_at: snapshot.materialized_at,
            source_updated_at: snapshot.source_updated_at,
            estimated_rows,
            object_key: object_key.clone(),
        };
        self.ledger.record_snapshot(lease, &record).await?;

        let mut upload = self.begin_upload(export, lease, &object_key).await?;
        let row_count = self.pour(&plan, snapshot, &mut upload, progress).await?;
        let stored = upload.finish().await?;
        Ok(Receipt {
            object_key,
            row_count,
            limit_reached: plan.limit_reached(row_count),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
        })
    }

    /// For progress alone: without it an export runs as well, and what ails the source shows when it
    /// is opened.
    async fn estimate(&self, plan: &ReportPlan) -> Option<u64> {
        let estimate = self.sources.estimate(plan, self.max_rows, None).await;
        estimate
            .inspect_err(|error| tracing::debug!(%error, "the rows could not be estimated"))
            .ok()
            .flatten()
            .and_then(RowEstimate::about)
    }

    /// Begins an upload and records it. In a task of its own: if the attempt ends meanwhile, nobody
    /// would know of the upload.
    async fn begin_upload(
        &self,
        export: &Export,
        lease: &Lease,
        object_key: &str,
    ) -> Result<Upload, AttemptError> {
        let (bucket, ledger) = (self.bucket.clone(), Arc::clone(&self.ledger));
        let (lease, object_key) = (lease.clone(), object_key.to_owned());
        let (content_type, filename) =
            (export.format.content_type_header(), export.filename.clone());
        let begun = tokio::spawn(async move {
            let upload = bucket
                .start_upload(&object_key, content_type, &filename)
                .await?;
            if let Err(error) = ledger.record_upload(&lease, upload.id()).await {
                // Nobody else knows of it.
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "an upload that was not recorded could not be aborted");
                }
                return Err(error.into());
            }
            Ok(upload)
        });
        begun
            .await
            .unwrap_or_else(|panic| Err(AttemptError::Panic(panic.to_string())))
    }

    /// Batches into parts until the source ends; returns the rows.
    async fn pour(
        &self,
        plan: &ReportPlan,
        mut snapshot: Snapshot,
        upload: &mut Upload,
        progress: &LiveProgress,
    ) -> Result<u64, AttemptError> {
        let mut encoder = encoder(
            plan.format(),
            plan.columns(),
            snapshot.materialized_at,
            plan.dataset().formula_guard,
        );
        let mut rows = 0;
        encoder.begin(upload.buffer());
        while let Some(batch) = snapshot.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            if rows > self.max_rows {
                return Err(AttemptError::TooManyRows(self.max_rows));
            }
            if batch.num_rows() == 1 && batch.get_array_memory_size() > LARGE_ROW_BYTES {
                // Neither the row as it was read nor a part of twice its size waits for the store.
                let mut row = Vec::new();
                encoder.write(&batch, &mut row)?;
                drop(batch);
                upload.append(&row).await?;
            } else {
                // What a part has too much is copied into the next one: a few rows, not a whole batch.
                for few in slices(&batch) {
                    encoder.write(&few, upload.buffer())?;
                    upload.write().await?;
                }
            }
            progress.set(rows, upload.size_bytes());
        }
        let lag = snapshot
            .source_updated_at
            .map(|updated| freshness_lag(updated, Utc::now()));
        let trailer = Trailer {
            limit_reached: plan.limit_reached(rows),
            freshness_lag_ms: lag.and_then(|lag| i64::try_from(lag.as_millis()).ok()),
        };
        encoder.finish(&trailer, upload.buffer());
        Ok(rows)
    }
}
