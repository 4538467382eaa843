//! Removes from the store what nobody wants any more: objects and uploads of attempts that are over
//! without a published file, and files that expired or were deleted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _};
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::{LedgerError, OrphanedObject, OrphanedUpload, Upkeep};
use waybill_store::{Bucket, BucketError};

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

/// How long an orphan is this process's before another one may try to remove it. Also the pause after
/// a failure.
const HOLD: Duration = Duration::from_secs(10);
/// How long after its claim an upload is aborted: a store may keep a part that arrives at that moment.
const REST: Duration = Duration::from_secs(3);
/// Orphans that are removed at the same time.
const CONCURRENT_REMOVALS: usize = 8;
/// When a key is swept again after it was emptied: a late worker's last request may have been on its
/// way to the store.
const SWEEP_AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

pub(super) struct OrphanedObjects {
    upkeep: Arc<dyn Upkeep>,
    bucket: Bucket,
    removed: Counter,
}

impl OrphanedObjects {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            bucket: with.bucket.clone(),
            removed: registered_counter(
                &with.metrics,
                "rescue_removed_leftovers",
                "Objects and unfinished uploads that nobody wants any more and that this process removed from the store",
            ),
        }
    }

    async fn remove(&self, orphan: &OrphanedObject) -> Result<(), RemoveError> {
        let key = &orphan.object_key;
        match &orphan.upload {
            OrphanedUpload::None => {}
            OrphanedUpload::Unrecorded => self.bucket.abort_uploads(key).await?,
            OrphanedUpload::Recorded(id) => self.bucket.abort_upload(key, id).await?,
        }
        self.bucket.delete(key).await?;
        let sweep_again = SWEEP_AGAIN.get(orphan.sweeps as usize).copied();
        self.upkeep.settle_orphan(orphan, sweep_again).await?;
        if orphan.sweeps == 0 {
            tracing::info!(key, "removed what has to go from the store");
            self.removed.inc();
        }
        Ok(())
    }
}

#[async_trait]
impl Task for OrphanedObjects {
    fn name(&self) -> &'static str {
        "orphaned_objects"
    }

    /// What cannot be removed now is tried again.
    async fn run(&mut self) -> Result<(), TaskError> {
        let orphans = self.upkeep.take_orphans(HOLD, REST).await?;
        let this = &*self;
        stream::iter(orphans)
            .for_each_concurrent(CONCURRENT_REMOVALS, |orphan| async move {
                if let Err(error) = this.remove(&orphan).await {
                    tracing::warn!(%error, key = orphan.object_key, "an orphaned object could not be removed yet");
                }
            })
            .await;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum RemoveError {
    #[error(transparent)]
    Store(#[from] BucketError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
