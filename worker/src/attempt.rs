//! One attempt at one export, from the plan to the receipt: the pipe, top to bottom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waybill_ledger::export::{Export, Receipt};
use waybill_ledger::{Lease, LedgerError, SnapshotRecord, Work};
use waybill_report::catalog::Catalog;
use waybill_report::encode::EncodeError;
use waybill_report::pipe::{Pipe, PipeError, PipeLimits, Tap};
use waybill_report::query::{Rejection, ReportPlan};
use waybill_report::source::{RowEstimate, SourceError, Sources};
use waybill_store::{Bucket, BucketError, Upload};

use crate::lease::LiveProgress;
use crate::metrics::WorkerMetrics;

/// What every attempt works with.
pub(crate) struct Pipeline {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) sources: Sources,
    pub(crate) ledger: Arc<dyn Work>,
    pub(crate) bucket: Bucket,
    pub(crate) limits: PipeLimits,
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
        let plan = self.catalog.plan_spec(&export.spec, &export.org)?;
        let estimated_rows = match export.progress.estimated_rows {
            Some(_) => None,
            None => self.estimate(&plan).await,
        };
        let pipe = Pipe::open(&self.sources, &plan, self.limits).await?;
        self.metrics.snapshot_opened(began);
        let object_key = lease.object_key(export.format());
        let record = SnapshotRecord {
            materialized_at: pipe.as_of(),
            source_updated_at: pipe.source_updated_at(),
            estimated_rows,
            object_key: object_key.clone(),
        };
        self.ledger.record_snapshot(lease, &record).await?;

        let upload = self.begin_upload(export, lease, &object_key).await?;
        let mut tap = UploadTap { upload, progress };
        let summary = pipe.run(&mut tap).await?;
        let stored = tap.upload.finish().await?;
        Ok(Receipt {
            object_key,
            row_count: summary.row_count,
            limit_reached: summary.limit_reached,
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
        })
    }

    /// For progress alone, where none was made when the export was accepted: without it an export runs as well,
    /// and what ails the source shows when it is opened.
    async fn estimate(&self, plan: &ReportPlan) -> Option<u64> {
        let most_rows = self.limits.rows.most();
        let estimate = self.sources.estimate(plan, most_rows, None).await;
        estimate
            .inspect_err(|error| tracing::debug!(%error, "the rows could not be estimated"))
            .ok()
            .flatten()
            .and_then(RowEstimate::about)
    }

    /// Begins an upload and records it. In a task of its own: if the attempt ends meanwhile, nobody
    /// would know of the upload.
    #[expect(
        clippy::disallowed_methods,
        reason = "its handle is awaited or aborts it"
    )]
    async fn begin_upload(
        &self,
        export: &Export,
        lease: &Lease,
        object_key: &str,
    ) -> Result<Upload, AttemptError> {
        let (bucket, ledger) = (self.bucket.clone(), Arc::clone(&self.ledger));
        let (lease, object_key) = (lease.clone(), object_key.to_owned());
        let content_type = export.format().content_type_header();
        let filename = export.spec.filename.clone();
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
}

/// A file that goes to the store part by part.
struct UploadTap<'a> {
    upload: Upload,
    progress: &'a LiveProgress,
}

impl Tap for UploadTap<'_> {
    type Error = BucketError;

    fn buffer(&mut self) -> &mut Vec<u8> {
        self.upload.buffer()
    }

    fn write(&mut self) -> impl Future<Output = Result<(), BucketError>> + Send {
        self.upload.write()
    }

    fn append(&mut self, row: &[u8]) -> impl Future<Output = Result<(), BucketError>> + Send {
        self.upload.append(row)
    }

    fn progress(&mut self, rows: u64) {
        self.progress.set(rows, self.upload.size_bytes());
    }
}

impl From<PipeError<BucketError>> for AttemptError {
    fn from(error: PipeError<BucketError>) -> Self {
        match error {
            PipeError::Source(error) => Self::Source(error),
            PipeError::Encode(error) => Self::Encode(error),
            PipeError::TooManyRows(most) => Self::TooManyRows(most),
            PipeError::Tap(error) => Self::Store(error),
        }
    }
}
