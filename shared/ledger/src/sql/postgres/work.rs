//! Working on exports.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_report::spec::SPEC_VERSION;

use super::interval::interval;
use super::ledger::{PostgresLedger, Row};
use crate::claim::{Claim, Lanes, Lease};
use crate::error::LedgerError;
use crate::export::{Export, ExportStatus, Failure, Progress, Receipt};
use crate::queue::{Due, Queue};
use crate::sql::row::{self, signed};
use crate::sql::statement::on_postgres;
use crate::sql::statements;
use crate::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};

/// The export in front of its lane: of the large one where $2 allows, else of the small one. Whoever
/// claims at the same time takes the next one instead of waiting for this one. Exports of the datasets
/// $3 are passed over, and so is what asks for more than version $4.
pub(super) const CLAIM_NEXT: &str = "
WITH large AS (
    SELECT id FROM waybill.exports
    WHERE $2 AND status = 'queued' AND large AND run_after <= now() AND dataset <> ALL($3)
      AND spec_version <= $4
    ORDER BY turn, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), small AS (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND NOT large AND run_after <= now() AND dataset <> ALL($3)
      AND spec_version <= $4 AND NOT EXISTS (SELECT FROM large)
    ORDER BY turn, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET status = 'running', epoch = epoch + 1, revision = revision + 1,
    started_at = now(), lease_expires_at = now() + $1, alone = FALSE,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE status = 'queued'
  AND id = coalesce((SELECT id FROM large), (SELECT id FROM small))
RETURNING *";

/// Also records that an upload may begin. Its id is not known yet.
const RECORD_SNAPSHOT: &str = "
WITH reading AS (
    UPDATE waybill.exports
    SET materialized_at = $3, source_updated_at = $4,
        estimated_rows = coalesce($5, estimated_rows),
        revision = revision + 1
    WHERE id = $1 AND epoch = $2 AND status = 'running'
    RETURNING id, epoch
)
INSERT INTO waybill.uploads (object_key, upload_id, export_id, epoch)
SELECT $6, '', id, epoch FROM reading
ON CONFLICT (object_key) DO UPDATE SET upload_id = uploads.upload_id";

/// Publishes, and drops the upload's record with it.
const COMPLETE: &str = "
WITH published AS (
    UPDATE waybill.exports
    SET status = 'completed', revision = revision + 1, lease_expires_at = NULL,
        completed_at = now(), expires_at = now() + $3,
        object_key = $4, row_count = $5, limit_reached = $6, size_bytes = $7, sha256 = $8,
        progress_rows = $5, progress_bytes = $7
    WHERE id = $1 AND epoch = $2 AND status = 'running'
    RETURNING object_key
), forgotten AS (
    DELETE FROM waybill.uploads USING published
    WHERE uploads.object_key = published.object_key
)
SELECT FROM published";

/// In one order, so that processes that do the same at once do not wait for each other in a circle.
const RECORD_RUNNABLE: &str = "
INSERT INTO waybill.runnable_sources (source, seen_at)
SELECT DISTINCT source, now() FROM unnest($1) AS source ORDER BY source
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// What another process claims or counts at the same time is left to it.
const COUNT_OUTAGE: &str = "
WITH waiting AS (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND run_after <= now() AND dataset = ANY($2)
      AND NOT EXISTS (
        SELECT FROM waybill.runnable_sources WHERE source = $1 AND seen_at > now() - $4
      )
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET outage = outage + least(greatest(now() - greatest(outage_counted_until, run_after), '0'), $3),
    outage_counted_until = now()
FROM waiting
WHERE exports.id = waiting.id";

#[async_trait]
impl Work for PostgresLedger {
    async fn claim_next_but(
        &self,
        datasets: &[String],
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError> {
        let row: Option<Row> = on_postgres!(
            query_as,
            CLAIM_NEXT,
            interval(lease_for),
            lanes.include_large(),
            datasets,
            SPEC_VERSION
        )
        .fetch_optional(&self.pool)
        .await?;
        let export = row.map(Export::try_from).transpose()?;
        Ok(export.map(Claim::of))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_for: Duration,
        progress: Progress,
    ) -> Result<(), LedgerError> {
        let update = on_postgres!(
            query,
            statements::RENEW,
            lease.export_id().to_string(),
            lease.epoch(),
            interval(lease_for),
            signed(progress.rows),
            signed(progress.bytes),
            progress.estimated_rows.map(signed)
        );
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = on_postgres!(
            query_scalar,
            statements::HOLDS,
            lease.export_id().to_string(),
            lease.epoch()
        );
        Ok(holds.fetch_one(&self.pool).await?)
    }

    async fn isolate(&self, lease: &Lease) -> Result<(), LedgerError> {
        let update = on_postgres!(
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
        let record = on_postgres!(
            query,
            RECORD_SNAPSHOT,
            lease.export_id().to_string(),
            lease.epoch(),
            snapshot.materialized_at,
            snapshot.source_updated_at,
            snapshot.estimated_rows.map(signed),
            &snapshot.object_key
        );
        self.guarded(lease, record).await
    }

    async fn record_upload(&self, lease: &Lease, upload_id: &str) -> Result<(), LedgerError> {
        let update = on_postgres!(
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
        let update = on_postgres!(
            query,
            COMPLETE,
            lease.export_id().to_string(),
            lease.epoch(),
            interval(retention),
            &receipt.object_key,
            signed(receipt.row_count),
            receipt.limit_reached,
            signed(receipt.size_bytes),
            &receipt.sha256
        );
        self.guarded(lease, update).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        failure: &Failure,
        delay: Option<Duration>,
    ) -> Result<ExportStatus, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let outcome: Option<(String, DateTime<Utc>)> = on_postgres!(
            query_as,
            statements::FAIL,
            lease.export_id().to_string(),
            lease.epoch(),
            delay.map(interval),
            failure.code.name(),
            &failure.detail
        )
        .fetch_optional(&mut *tx)
        .await?;
        let (status, run_after) = outcome.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        let status = row::status(&status)?;
        if status == ExportStatus::Queued {
            let due = Due::after(delay.unwrap_or_default(), run_after);
            Queue::push(&mut *tx, lease.export_id(), due).await?;
        }
        tx.commit().await?;
        Ok(status)
    }

    async fn hand_back(
        &self,
        lease: &Lease,
        delay: Duration,
        reason: HandBack,
    ) -> Result<(), LedgerError> {
        let mut tx = self.pool.begin().await?;
        let run_after: Option<DateTime<Utc>> = on_postgres!(
            query_scalar,
            statements::HAND_BACK,
            lease.export_id().to_string(),
            lease.epoch(),
            interval(delay),
            reason == HandBack::Outage
        )
        .fetch_optional(&mut *tx)
        .await?;
        let run_after = run_after.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        Queue::push(&mut *tx, lease.export_id(), Due::after(delay, run_after)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        on_postgres!(query, RECORD_RUNNABLE, sources)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let counted = on_postgres!(
            query,
            COUNT_OUTAGE,
            outage.source,
            outage.datasets,
            interval(outage.lasted),
            interval(RUNNABLE_FOR)
        )
        .execute(&self.pool)
        .await?;
        Ok(counted.rows_affected())
    }
}
