//! The upkeep of exports.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_report::spec::SPEC_VERSION;

use super::interval::interval;
use super::ledger::PostgresLedger;
use crate::error::LedgerError;
use crate::export::{ExportId, ExportStatus, Failure};
use crate::queue::{Due, MAX_WAKE_UPS, Queue};
use crate::sql::row;
use crate::sql::statement::on_postgres;
use crate::sql::statements;
use crate::terms::IDEMPOTENCY_KEPT;
use crate::upkeep::{BATCH_SIZE, OrphanedObject, Upkeep};

const EXPIRE: &str = "
WITH expired AS (
    UPDATE waybill.exports
    SET status = 'expired', revision = revision + 1
    WHERE id IN (
        SELECT id FROM waybill.exports
        WHERE status = 'completed' AND expires_at <= now()
        ORDER BY expires_at
        LIMIT $1
        FOR UPDATE SKIP LOCKED
      )
    RETURNING object_key
), left_over AS (
    INSERT INTO waybill.leftovers (object_key, look_at)
    SELECT object_key, now() FROM expired
    ON CONFLICT (object_key) DO NOTHING
)
SELECT count(*) FROM expired";

/// Uploads whose claim is over become orphaned objects. A published file has no record of an upload.
const COLLECT: &str = "
WITH over AS (
    DELETE FROM waybill.uploads
    WHERE NOT EXISTS (
        SELECT FROM waybill.exports
        WHERE exports.id = uploads.export_id AND exports.epoch = uploads.epoch
          AND exports.status = 'running'
      )
    RETURNING object_key, upload_id
)
INSERT INTO waybill.leftovers (object_key, upload_id, look_at)
SELECT object_key, upload_id, now() + $1 FROM over
ON CONFLICT (object_key) DO NOTHING";

#[async_trait]
impl Upkeep for PostgresLedger {
    async fn now(&self) -> Result<DateTime<Utc>, LedgerError> {
        let now = on_postgres!(query_scalar, "SELECT {now}");
        Ok(now.fetch_one(&self.pool).await?)
    }

    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let lapsed: Vec<(String, String, DateTime<Utc>)> =
            on_postgres!(query_as, statements::REQUEUE_LAPSED, all)
                .fetch_all(&mut *tx)
                .await?;
        let mut ids = Vec::with_capacity(lapsed.len());
        for (id, status, run_after) in lapsed {
            let id = row::id(&id)?;
            if row::status(&status)? == ExportStatus::Queued {
                Queue::push(&mut *tx, id, Due::Now(run_after)).await?;
            }
            ids.push(id);
        }
        tx.commit().await?;
        Ok(ids)
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = on_postgres!(
            query_scalar,
            statements::GIVE_UP,
            interval(after),
            failure.code.name(),
            &failure.detail,
            i64::from(BATCH_SIZE)
        )
        .fetch_all(&self.pool)
        .await?;
        row::ids(&given_up)
    }

    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let waiting: Vec<(String, DateTime<Utc>)> = on_postgres!(
            query_as,
            statements::WAITING,
            interval(waiting_for),
            i64::from(MAX_WAKE_UPS),
            SPEC_VERSION
        )
        .fetch_all(&mut *tx)
        .await?;
        let pending = Queue::count_pending(&mut *tx).await?;
        let undelivered = waiting.get(pending..).unwrap_or_default();
        for (id, now) in undelivered {
            Queue::push(&mut *tx, row::id(id)?, Due::Now(*now)).await?;
        }
        Queue::remove_delivered(&mut *tx).await?;
        tx.commit().await?;
        Ok(undelivered.len() as u64)
    }

    async fn bound_waits(
        &self,
        longest_pause: Duration,
        lease_for: Duration,
    ) -> Result<u64, LedgerError> {
        let bounded = on_postgres!(
            query,
            statements::BOUND_WAITS,
            interval(longest_pause),
            interval(lease_for)
        )
        .execute(&self.pool)
        .await?;
        Ok(bounded.rows_affected())
    }

    async fn expire(&self) -> Result<u64, LedgerError> {
        let expired: i64 = on_postgres!(query_scalar, EXPIRE, i64::from(BATCH_SIZE))
            .fetch_one(&self.pool)
            .await?;
        Ok(row::unsigned(expired))
    }

    async fn purge(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let purged = on_postgres!(
            query,
            statements::PURGE,
            interval(kept_for),
            i64::from(BATCH_SIZE)
        )
        .execute(&self.pool)
        .await?;
        on_postgres!(query, statements::FORGET_KEYS, interval(IDEMPOTENCY_KEPT))
            .execute(&self.pool)
            .await?;
        Ok(purged.rows_affected())
    }

    async fn take_orphans(
        &self,
        hold: Duration,
        rest: Duration,
    ) -> Result<Vec<OrphanedObject>, LedgerError> {
        on_postgres!(query, COLLECT, interval(rest))
            .execute(&self.pool)
            .await?;
        let taken: Vec<(String, Option<String>, i32)> = on_postgres!(
            query_as,
            statements::TAKE,
            interval(hold),
            i64::from(BATCH_SIZE)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(taken.into_iter().map(OrphanedObject::from).collect())
    }

    async fn settle_orphan(
        &self,
        orphan: &OrphanedObject,
        sweep_again: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let key = &orphan.object_key;
        let settled = match sweep_again {
            Some(after) => on_postgres!(query, statements::LOOK_AGAIN, key, interval(after)),
            None => on_postgres!(query, statements::FORGET, key),
        };
        settled.execute(&self.pool).await?;
        Ok(())
    }
}
