//! Working on exports.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::types::Json;
use waybill_report::spec::SPEC_VERSION;

use super::ledger::{Row, SqliteLedger};
use crate::claim::{Claim, Lanes, Lease};
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{Export, ExportStatus, Failure, Progress, Receipt};
use crate::queue::{Due, Queue};
use crate::sql::row::{self, signed};
use crate::sql::statement::on_sqlite;
use crate::sql::statements;
use crate::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};

/// The export in front of its lane: of the large one where $2 allows, else of the small one. Exports of
/// the datasets $3, a JSON array, are passed over, and so is what asks for more than version $4.
pub(super) const CLAIM_NEXT: &str = "
UPDATE exports
SET status = 'running', epoch = epoch + 1, revision = revision + 1,
    started_at = {now}, lease_expires_at = {now} + $1, alone = FALSE,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE status = 'queued'
  AND id = coalesce(
    (SELECT id FROM exports
     WHERE $2 AND status = 'queued' AND large = TRUE AND run_after <= {now}
       AND dataset NOT IN (SELECT value FROM json_each($3))
       AND spec_version <= $4
     ORDER BY turn, id LIMIT 1),
    (SELECT id FROM exports
     WHERE status = 'queued' AND large = FALSE AND run_after <= {now}
       AND dataset NOT IN (SELECT value FROM json_each($3))
       AND spec_version <= $4
     ORDER BY turn, id LIMIT 1))
RETURNING *";

const RECORD_SNAPSHOT: &str = "
UPDATE exports
SET materialized_at = $3, source_updated_at = $4,
    estimated_rows = coalesce($5, estimated_rows),
    revision = revision + 1
WHERE id = $1 AND epoch = $2 AND status = 'running'";

/// An upload may begin. Its id is not known yet.
const ANNOUNCE_UPLOAD: &str = "
INSERT INTO uploads (object_key, upload_id, export_id, epoch)
VALUES ($3, '', $1, $2)
ON CONFLICT (object_key) DO NOTHING";

const COMPLETE: &str = "
UPDATE exports
SET status = 'completed', revision = revision + 1, lease_expires_at = NULL,
    completed_at = {now}, expires_at = {now} + $3,
    object_key = $4, row_count = $5, limit_reached = $6, size_bytes = $7, sha256 = $8,
    progress_rows = $5, progress_bytes = $7
WHERE id = $1 AND epoch = $2 AND status = 'running'";

const FORGET_UPLOAD: &str = "DELETE FROM uploads WHERE object_key = $1";

const RECORD_RUNNABLE: &str = "
INSERT INTO runnable_sources (source, seen_at) VALUES ($1, {now})
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// $1 is the source, $2 its datasets as a JSON array, $3 the length of the outage, $4 how old
/// somebody's word may be.
const COUNT_OUTAGE: &str = "
UPDATE exports
SET outage = outage
        + min(max({now} - max(coalesce(outage_counted_until, run_after), run_after), 0), $3),
    outage_counted_until = {now}
WHERE status = 'queued' AND run_after <= {now} AND dataset IN (SELECT value FROM json_each($2))
  AND NOT EXISTS (SELECT 1 FROM runnable_sources WHERE source = $1 AND seen_at > {now} - $4)";

#[async_trait]
impl Work for SqliteLedger {
    async fn claim_next_but(
        &self,
        datasets: &[String],
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError> {
        let row: Option<Row> = on_sqlite!(
            query_as,
            CLAIM_NEXT,
            whole_micros(lease_for),
            lanes.include_large(),
            Json(datasets),
            SPEC_VERSION,
            micros(file_clock())
        )
        .fetch_optional(&self.pools.writer)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let export = Export::try_from(row)?;
        self.changed(export.id);
        Ok(Some(Claim::of(export)))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_for: Duration,
        progress: Progress,
    ) -> Result<(), LedgerError> {
        let update = on_sqlite!(
            query,
            statements::RENEW,
            lease.export_id().to_string(),
            lease.epoch(),
            whole_micros(lease_for),
            signed(progress.rows),
            signed(progress.bytes),
            progress.estimated_rows.map(signed),
            micros(file_clock())
        );
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = on_sqlite!(
            query_scalar,
            statements::HOLDS,
            lease.export_id().to_string(),
            lease.epoch()
        );
        Ok(holds.fetch_one(&self.pools.readers).await?)
    }

    async fn isolate(&self, lease: &Lease) -> Result<(), LedgerError> {
        let update = on_sqlite!(
            query,
            statements::ISOLATE,
            lease.export_id().to_string(),
            lease.epoch()
        );
        self.guarded(lease, update).await
    }

    async fn record_snapshot(
        &self,
        lease: &Lease,
        snapshot: &SnapshotRecord,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let reading = on_sqlite!(
            query,
            RECORD_SNAPSHOT,
            lease.export_id().to_string(),
            lease.epoch(),
            micros(snapshot.materialized_at),
            snapshot.source_updated_at.map(micros),
            snapshot.estimated_rows.map(signed)
        )
        .execute(&mut *tx)
        .await?;
        if reading.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        on_sqlite!(
            query,
            ANNOUNCE_UPLOAD,
            lease.export_id().to_string(),
            lease.epoch(),
            &snapshot.object_key
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(())
    }

    async fn record_upload(&self, lease: &Lease, upload_id: &str) -> Result<(), LedgerError> {
        let update = on_sqlite!(
            query,
            statements::RECORD_UPLOAD,
            lease.export_id().to_string(),
            lease.epoch(),
            upload_id
        );
        self.guarded(lease, update).await
    }

    async fn complete(
        &self,
        lease: &Lease,
        receipt: &Receipt,
        retention: Duration,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let done = on_sqlite!(
            query,
            COMPLETE,
            lease.export_id().to_string(),
            lease.epoch(),
            whole_micros(retention),
            &receipt.object_key,
            signed(receipt.row_count),
            receipt.limit_reached,
            signed(receipt.size_bytes),
            &receipt.sha256,
            micros(file_clock())
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        on_sqlite!(query, FORGET_UPLOAD, &receipt.object_key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(())
    }

    async fn fail(
        &self,
        lease: &Lease,
        failure: &Failure,
        delay: Option<Duration>,
    ) -> Result<ExportStatus, LedgerError> {
        let mut tx = self.write().await?;
        let outcome: Option<(String, i64)> = on_sqlite!(
            query_as,
            statements::FAIL,
            lease.export_id().to_string(),
            lease.epoch(),
            delay.map(whole_micros),
            failure.code.name(),
            &failure.detail,
            micros(file_clock())
        )
        .fetch_optional(&mut *tx)
        .await?;
        let (status, run_after) = outcome.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        let status = row::status(&status)?;
        if status == ExportStatus::Queued {
            let due = Due::after(delay.unwrap_or_default(), row::instant(run_after)?);
            Queue::push(&mut *tx, lease.export_id(), due).await?;
        }
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(status)
    }

    async fn hand_back(
        &self,
        lease: &Lease,
        delay: Duration,
        reason: HandBack,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let run_after: Option<i64> = on_sqlite!(
            query_scalar,
            statements::HAND_BACK,
            lease.export_id().to_string(),
            lease.epoch(),
            whole_micros(delay),
            reason == HandBack::Outage,
            micros(file_clock())
        )
        .fetch_optional(&mut *tx)
        .await?;
        let run_after = run_after.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        let due = Due::after(delay, row::instant(run_after)?);
        Queue::push(&mut *tx, lease.export_id(), due).await?;
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(())
    }

    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        for source in sources {
            on_sqlite!(query, RECORD_RUNNABLE, *source, micros(file_clock()))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let counted = on_sqlite!(
            query,
            COUNT_OUTAGE,
            outage.source,
            Json(outage.datasets),
            whole_micros(outage.lasted),
            whole_micros(RUNNABLE_FOR),
            micros(file_clock())
        )
        .execute(&self.pools.writer)
        .await?;
        Ok(counted.rows_affected())
    }
}
