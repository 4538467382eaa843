//! Working on exports.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;

use super::ledger::SqliteLedger;
use super::statements;
use crate::claim::{Claim, Lanes, Lease};
use crate::db::instant::{micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{Export, ExportStatus, Failure, Progress, Receipt};
use crate::queue::{self, Due};
use crate::sql::row::{self, ExportRow};
use crate::work::{HandBack, RUNNABLE_FOR, SnapshotRecord, SourceOutage, Work};

#[async_trait]
impl Work for SqliteLedger {
    async fn claim_next_but(
        &self,
        datasets: &[String],
        lease_for: Duration,
        lanes: Lanes,
    ) -> Result<Option<Claim>, LedgerError> {
        let now = Utc::now();
        let row: Option<ExportRow<i64>> = sqlx::query_as(statements::CLAIM_NEXT)
            .bind(micros(now))
            .bind(micros(now + lease_for))
            .bind(lanes.include_large())
            .bind(serde_json::Value::from(datasets).to_string())
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
        let update = sqlx::query(statements::RENEW)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(micros(Utc::now() + lease_for))
            .bind(row::signed(progress.rows))
            .bind(row::signed(progress.bytes))
            .bind(progress.estimated_rows.map(row::signed));
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = sqlx::query_scalar(statements::HOLDS)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .fetch_one(&self.pools.readers)
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
        let mut tx = self.write().await?;
        let reading = sqlx::query(statements::RECORD_SNAPSHOT)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(micros(snapshot.materialized_at))
            .bind(snapshot.source_updated_at.map(micros))
            .bind(snapshot.estimated_rows.map(row::signed))
            .execute(&mut *tx)
            .await?;
        if reading.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        sqlx::query(statements::ANNOUNCE_UPLOAD)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(&snapshot.object_key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(())
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
        let now = Utc::now();
        let mut tx = self.write().await?;
        let done = sqlx::query(statements::COMPLETE)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(micros(now))
            .bind(micros(now + retention))
            .bind(&receipt.object_key)
            .bind(row::signed(receipt.row_count))
            .bind(receipt.limit_reached)
            .bind(row::signed(receipt.size_bytes))
            .bind(&receipt.sha256)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        sqlx::query(statements::FORGET_UPLOAD)
            .bind(&receipt.object_key)
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
        let now = Utc::now();
        let run_after = delay.map(|delay| now + delay);
        let mut tx = self.write().await?;
        let status: Option<String> = sqlx::query_scalar(statements::FAIL)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(micros(now))
            .bind(run_after.map(micros))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .fetch_optional(&mut *tx)
            .await?;
        let status = row::status(&status.ok_or(LedgerError::LeaseLost(lease.export_id()))?)?;
        if let (ExportStatus::Queued, Some(delay), Some(run_after)) = (status, delay, run_after) {
            let due = Due::after(delay, run_after);
            queue::sqlite::push(&mut tx, lease.export_id(), due).await?;
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
        let run_after = Utc::now() + delay;
        let mut tx = self.write().await?;
        let done = sqlx::query(statements::HAND_BACK)
            .bind(lease.export_id().to_string())
            .bind(lease.epoch())
            .bind(micros(run_after))
            .bind(reason == HandBack::Outage)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        queue::sqlite::push(&mut tx, lease.export_id(), Due::after(delay, run_after)).await?;
        tx.commit().await?;
        self.changed(lease.export_id());
        Ok(())
    }

    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        for source in sources {
            sqlx::query(statements::RECORD_RUNNABLE)
                .bind(*source)
                .bind(micros(Utc::now()))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let now = Utc::now();
        let counted = sqlx::query(statements::COUNT_OUTAGE)
            .bind(micros(now))
            .bind(outage.source)
            .bind(serde_json::Value::from(outage.datasets).to_string())
            .bind(whole_micros(outage.lasted))
            .bind(micros(now - RUNNABLE_FOR))
            .execute(&self.pools.writer)
            .await?;
        Ok(counted.rows_affected())
    }
}
