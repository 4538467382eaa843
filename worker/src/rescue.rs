//! What others left: lapsed leases, undelivered exports, uploads and objects that nobody wants any
//! more, files and records whose time is over. Safe to run in every worker at once: each step is
//! guarded by the ledger or does no harm twice.

mod lease_grace;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use waybill_config::ExportSettings;
use waybill_ledger::{Ledger, LedgerError, LeftUpload, Leftover};
use waybill_store::{Bucket, BucketError};

use self::lease_grace::LeaseGracePeriod;
use crate::verdict::{LONGEST_PAUSE, given_up};

pub(crate) use self::tally::Tally;

const INTERVAL: Duration = Duration::from_secs(1);
/// An export that waits for longer without a wake-up on its way gets another one.
const UNDELIVERED_AFTER: Duration = Duration::from_secs(2);
/// How long a leftover is this process's before another one may try to remove it. Also the pause
/// after a failure.
const HOLD: Duration = Duration::from_secs(10);
/// How long after its claim an upload is aborted: a store may keep a part that arrives at that moment.
const REST: Duration = Duration::from_secs(3);
/// Leftovers that are removed at the same time.
const REMOVALS: usize = 8;
/// When a key is looked at again after it was emptied: a late worker's last request may have been on
/// its way to the store.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

pub(crate) struct Rescue {
    ledger: Arc<dyn Ledger>,
    bucket: Bucket,
    lease_for: Duration,
    records_kept: Duration,
    give_up_after: Duration,
    tally: Tally,
}

impl Rescue {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        bucket: Bucket,
        lease_for: Duration,
        exports: &ExportSettings,
        tally: Tally,
    ) -> Self {
        Self {
            ledger,
            bucket,
            lease_for,
            records_kept: exports.record_retention(),
            give_up_after: exports.give_up_after(),
            tally,
        }
    }

    /// Goes round until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut patience = None;
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.put_in_order(&mut patience).await {
                tracing::warn!(%error, "could not look for lost exports");
                if let Some(patience) = &mut patience {
                    patience.outage();
                }
            }
            self.remove_leftovers().await;
        }
        tracing::info!(rescued = %self.tally, "stopped looking for what others left");
    }

    async fn put_in_order(
        &self,
        patience: &mut Option<LeaseGracePeriod>,
    ) -> Result<(), LedgerError> {
        let ledger_now = self.ledger.now().await?;
        let now = Instant::now();
        let patience =
            patience.get_or_insert_with(|| LeaseGracePeriod::new(self.lease_for, now, ledger_now));
        if patience.is_over(now, ledger_now) {
            for id in self.ledger.requeue_lapsed(false).await? {
                tracing::warn!(export_id = %id, "the worker of this export fell silent; its claim is over");
                self.tally.lapsed.inc();
            }
        }
        let bounded = self.ledger.bound_waits(LONGEST_PAUSE, self.lease_for);
        let bounded = bounded.await?;
        if bounded > 0 {
            tracing::warn!(
                exports = bounded,
                "the clock was set back; nothing waits for it to return"
            );
        }
        let failure = given_up(self.give_up_after);
        for id in self.ledger.give_up(self.give_up_after, &failure).await? {
            tracing::error!(export_id = %id, code = failure.code.name(), "export failed: what it needs was away for too long");
            self.tally.given_up.inc();
        }
        let woken = self.ledger.wake_waiting(UNDELIVERED_AFTER).await?;
        if woken > 0 {
            tracing::debug!(woken, "pushed wake-ups again");
        }
        self.tally.redelivered.inc_by(woken);
        let expired = self.ledger.expire().await?;
        if expired > 0 {
            tracing::info!(exports = expired, "files were kept long enough");
        }
        self.tally.expired.inc_by(expired);
        let purged = self.ledger.purge(self.records_kept).await?;
        if purged > 0 {
            tracing::info!(exports = purged, "records were kept long enough");
        }
        self.tally.purged.inc_by(purged);
        Ok(())
    }

    /// Removes from the store what has to go. What cannot be removed now is tried again.
    async fn remove_leftovers(&self) {
        let leftovers = match self.ledger.take_leftovers(HOLD, REST).await {
            Ok(leftovers) => leftovers,
            Err(error) => return tracing::warn!(%error, "could not look for leftovers"),
        };
        stream::iter(leftovers)
            .for_each_concurrent(REMOVALS, |leftover| async move {
                if let Err(error) = self.remove(&leftover).await {
                    tracing::warn!(%error, key = leftover.object_key, "a leftover could not be removed yet");
                }
            })
            .await;
    }

    async fn remove(&self, leftover: &Leftover) -> Result<(), RemoveError> {
        let key = &leftover.object_key;
        match &leftover.upload {
            LeftUpload::None => {}
            LeftUpload::Unrecorded => self.bucket.abort_uploads(key).await?,
            LeftUpload::Recorded(id) => self.bucket.abort_upload(key, id).await?,
        }
        self.bucket.delete(key).await?;
        let look_again = LOOK_AGAIN.get(leftover.looks as usize).copied();
        self.ledger.settle_leftover(leftover, look_again).await?;
        if leftover.looks == 0 {
            tracing::info!(key, "removed what has to go from the store");
            self.tally.removed.inc();
        }
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
