//! The upkeep of exports.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_report::spec::SPEC_VERSION;

use super::ledger::{SqliteLedger, leave_file};
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{ExportId, ExportStatus, Failure};
use crate::queue::{Due, MAX_WAKE_UPS, Queue};
use crate::sql::row;
use crate::sql::statement::on_sqlite;
use crate::sql::statements;
use crate::terms::IDEMPOTENCY_KEPT;
use crate::upkeep::{BATCH_SIZE, OrphanedObject, Upkeep};

const EXPIRE: &str = "
UPDATE exports
SET status = 'expired', revision = revision + 1
WHERE id IN (
    SELECT id FROM exports
    WHERE status = 'completed' AND expires_at <= {now}
    ORDER BY expires_at
    LIMIT $1
  )
RETURNING id, object_key";

/// Uploads whose claim is over. A published file has no record of an upload.
const OVER: &str = "
DELETE FROM uploads
WHERE NOT EXISTS (
    SELECT 1 FROM exports
    WHERE exports.id = uploads.export_id AND exports.epoch = uploads.epoch
      AND exports.status = 'running'
  )
RETURNING object_key, upload_id";

const LEAVE_UPLOAD: &str = "
INSERT INTO leftovers (object_key, upload_id, look_at) VALUES ($1, $2, {now} + $3)
ON CONFLICT (object_key) DO NOTHING";

#[async_trait]
impl Upkeep for SqliteLedger {
    async fn now(&self) -> Result<DateTime<Utc>, LedgerError> {
        Ok(file_clock())
    }

    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError> {
        let mut tx = self.write().await?;
        let lapsed: Vec<(String, String, i64)> = on_sqlite!(
            query_as,
            statements::REQUEUE_LAPSED,
            all,
            micros(file_clock())
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut ids = Vec::with_capacity(lapsed.len());
        for (id, status, run_after) in lapsed {
            let id = row::id(&id)?;
            if row::status(&status)? == ExportStatus::Queued {
                let due = Due::Now(row::instant(run_after)?);
                Queue::push(&mut *tx, id, due).await?;
            }
            ids.push(id);
        }
        tx.commit().await?;
        self.all_changed(&ids);
        Ok(ids)
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = on_sqlite!(
            query_scalar,
            statements::GIVE_UP,
            whole_micros(after),
            failure.code.name(),
            &failure.detail,
            BATCH_SIZE,
            micros(file_clock())
        )
        .fetch_all(&self.pools.writer)
        .await?;
        let ids = row::ids(&given_up)?;
        self.all_changed(&ids);
        Ok(ids)
    }

    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError> {
        let mut tx = self.write().await?;
        let waiting: Vec<(String, i64)> = on_sqlite!(
            query_as,
            statements::WAITING,
            whole_micros(waiting_for),
            MAX_WAKE_UPS,
            SPEC_VERSION,
            micros(file_clock())
        )
        .fetch_all(&mut *tx)
        .await?;
        let pending = Queue::count_pending(&mut *tx).await?;
        let undelivered = waiting.get(pending..).unwrap_or_default();
        for (id, now) in undelivered {
            let due = Due::Now(row::instant(*now)?);
            Queue::push(&mut *tx, row::id(id)?, due).await?;
        }
        Queue::remove_delivered(&mut *tx).await?;
        tx.commit().await?;
        if let Some((id, _)) = undelivered.first() {
            self.changed(row::id(id)?);
        }
        Ok(undelivered.len() as u64)
    }

    async fn bound_waits(
        &self,
        longest_pause: Duration,
        lease_for: Duration,
    ) -> Result<u64, LedgerError> {
        let bounded = on_sqlite!(
            query,
            statements::BOUND_WAITS,
            whole_micros(longest_pause),
            whole_micros(lease_for),
            micros(file_clock())
        )
        .execute(&self.pools.writer)
        .await?;
        Ok(bounded.rows_affected())
    }

    async fn expire(&self) -> Result<u64, LedgerError> {
        let now = file_clock();
        let mut tx = self.write().await?;
        let expired: Vec<(String, String)> = on_sqlite!(query_as, EXPIRE, BATCH_SIZE, micros(now))
            .fetch_all(&mut *tx)
            .await?;
        for (_, object_key) in &expired {
            leave_file(&mut tx, object_key, now).await?;
        }
        tx.commit().await?;
        for (id, _) in &expired {
            self.changed(row::id(id)?);
        }
        Ok(expired.len() as u64)
    }

    async fn purge(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let now = micros(file_clock());
        let purged = on_sqlite!(
            query,
            statements::PURGE,
            whole_micros(kept_for),
            BATCH_SIZE,
            now
        )
        .execute(&self.pools.writer)
        .await?;
        let kept_for = whole_micros(IDEMPOTENCY_KEPT);
        on_sqlite!(query, statements::FORGET_KEYS, kept_for, now)
            .execute(&self.pools.writer)
            .await?;
        Ok(purged.rows_affected())
    }

    async fn take_orphans(
        &self,
        hold: Duration,
        rest: Duration,
    ) -> Result<Vec<OrphanedObject>, LedgerError> {
        let now = micros(file_clock());
        let mut tx = self.write().await?;
        let over: Vec<(String, String)> = on_sqlite!(query_as, OVER).fetch_all(&mut *tx).await?;
        for (key, upload_id) in over {
            on_sqlite!(query, LEAVE_UPLOAD, key, upload_id, whole_micros(rest), now)
                .execute(&mut *tx)
                .await?;
        }
        let taken: Vec<(String, Option<String>, i32)> = on_sqlite!(
            query_as,
            statements::TAKE,
            whole_micros(hold),
            BATCH_SIZE,
            now
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(taken.into_iter().map(OrphanedObject::from).collect())
    }

    async fn settle_orphan(
        &self,
        orphan: &OrphanedObject,
        sweep_again: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let (key, now) = (&orphan.object_key, micros(file_clock()));
        let settled = match sweep_again {
            Some(after) => {
                on_sqlite!(query, statements::LOOK_AGAIN, key, whole_micros(after), now)
            }
            None => on_sqlite!(query, statements::FORGET, key),
        };
        settled.execute(&self.pools.writer).await?;
        Ok(())
    }
}
