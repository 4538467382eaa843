//! What others left: lapsed leases, undelivered exports, orphaned uploads. Safe to run in every
//! worker at once: each step is guarded by the ledger or does no harm twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use waybill_shared::bucket::{Bucket, BucketError};
use waybill_shared::ledger::{Ledger, LedgerError, UploadRecord};

const INTERVAL: Duration = Duration::from_secs(1);
/// An export that waits for longer without a wake-up on its way gets another one.
const UNDELIVERED_AFTER: Duration = Duration::from_secs(2);

pub(crate) struct Rescue {
    ledger: Arc<dyn Ledger>,
    bucket: Bucket,
}

impl Rescue {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, bucket: Bucket) -> Self {
        Self { ledger, bucket }
    }

    /// Goes round until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.revive().await {
                tracing::warn!(%error, "could not look for lost exports");
            }
            self.remove_leftovers().await;
        }
    }

    async fn revive(&self) -> Result<(), LedgerError> {
        for id in self.ledger.requeue_lapsed(false).await? {
            tracing::warn!(export_id = %id, "the worker of this export fell silent; its claim is over");
        }
        let woken = self.ledger.wake_waiting(UNDELIVERED_AFTER).await?;
        if woken > 0 {
            tracing::debug!(woken, "pushed wake-ups again");
        }
        Ok(())
    }

    /// Removes uploads and objects of claims that ended without being published. A record goes
    /// only when the store has nothing left of it.
    pub(crate) async fn remove_leftovers(&self) {
        let uploads = match self.ledger.stale_uploads().await {
            Ok(uploads) => uploads,
            Err(error) => return tracing::warn!(%error, "could not look for leftovers"),
        };
        for upload in uploads {
            if let Err(error) = self.remove(&upload).await {
                tracing::warn!(%error, key = upload.object_key, "a leftover could not be removed yet");
            }
        }
    }

    async fn remove(&self, upload: &UploadRecord) -> Result<(), RemoveError> {
        self.bucket
            .abort_upload(&upload.object_key, &upload.upload_id)
            .await?;
        self.bucket.delete(&upload.object_key).await?;
        self.ledger.forget_upload(upload).await?;
        tracing::info!(
            key = upload.object_key,
            "removed what an attempt left in the store"
        );
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
