//! Working on exports.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::ledger::{PostgresLedger, Row};
use super::statements;
use crate::claim::{Claim, Lanes, Lease};
use crate::error::LedgerError;
use crate::export::{Export, ExportStatus, Failure, Progress, Receipt};
use crate::queue::{self, Due};
use crate::sql::row;
use crate::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};

#[async_trait]
impl Work for PostgresLedger {
    async fn claim_next_but(
        &self,
        datasets: &[String],
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError> {
        let row: Option<Row> = sqlx::query_as(statements::CLAIM_NEXT)
            .bind(lease_for.as_secs_f64())
            .bind(lanes.include_large())
            .bind(datasets)
            .fetch_optional(&self.pool)
            .await?;
        row.map(Export::try_from)
            .transpose()
            .map(|export| export.map(Claim::of))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_for: Duration,
        progress: Progress,
    ) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::RENEW)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(lease_for.as_secs_f64())
            .bind(row::signed(progress.rows))
            .bind(row::signed(progress.bytes))
            .bind(progress.estimated_rows.map(row::signed));
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = sqlx::query_scalar(statements::HOLDS)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .fetch_one(&self.pool)
            .await?;
        Ok(holds)
    }

    async fn isolate(&self, lease: &Lease) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::ISOLATE)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch());
        self.guarded(lease, update).await
    }

    async fn record_snapshot(
        &self,
        lease: &Lease,
        snapshot: &SnapshotRecord,
    ) -> Result<(), LedgerError> {
        let record = sqlx::query(statements::RECORD_SNAPSHOT)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(snapshot.materialized_at)
            .bind(snapshot.source_updated_at)
            .bind(snapshot.estimated_rows.map(row::signed))
            .bind(&snapshot.object_key);
        self.guarded(lease, record).await
    }

    async fn record_upload(&self, lease: &Lease, upload_id: &str) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::RECORD_UPLOAD)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(upload_id);
        self.guarded(lease, update).await
    }

    async fn complete(
        &self,
        lease: &Lease,
        receipt: &Receipt,
        retention: Duration,
    ) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::COMPLETE)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(retention.as_secs_f64())
            .bind(&receipt.object_key)
            .bind(row::signed(receipt.row_count))
            .bind(receipt.limit_reached)
            .bind(row::signed(receipt.size_bytes))
            .bind(&receipt.sha256);
        self.guarded(lease, update).await
    }

    async fn fail(
        &self,
        lease: &Lease,
        failure: &Failure,
        delay: Option<Duration>,
    ) -> Result<ExportStatus, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let outcome: Option<(String, DateTime<Utc>)> = sqlx::query_as(statements::FAIL)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(delay.map(|delay| delay.as_secs_f64()))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .fetch_optional(&mut *tx)
            .await?;
        let (status, run_after) = outcome.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        let status = row::status(&status)?;
        if status == ExportStatus::Queued {
            let due = Due::after(delay.unwrap_or_default(), run_after);
            queue::postgres::push(&mut tx, lease.export_id(), due).await?;
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
        let run_after: Option<DateTime<Utc>> = sqlx::query_scalar(statements::HAND_BACK)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(delay.as_secs_f64())
            .bind(reason == HandBack::Outage)
            .fetch_optional(&mut *tx)
            .await?;
        let run_after = run_after.ok_or(LedgerError::LeaseLost(lease.export_id()))?;
        queue::postgres::push(&mut tx, lease.export_id(), Due::after(delay, run_after)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        sqlx::query(statements::RECORD_RUNNABLE)
            .bind(sources)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let counted = sqlx::query(statements::COUNT_OUTAGE)
            .bind(outage.source)
            .bind(outage.datasets)
            .bind(outage.lasted.as_secs_f64())
            .bind(RUNNABLE_FOR.as_secs_f64())
            .execute(&self.pool)
            .await?;
        Ok(counted.rows_affected())
    }
}
