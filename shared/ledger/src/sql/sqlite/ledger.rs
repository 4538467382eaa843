//! The ledger on one SQLite file, shared with the queue: for one process on one machine.
//!
//! All writes go through one connection, so none ever finds the file locked; reads have connections
//! of their own (WAL). The clock is the process's, which is the machine's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};
use tokio::sync::broadcast;
use waybill_report::caller::{KeyId, OrgId, Scope};

use super::statements;
use crate::backlog::{self, DRAIN_SPAN, LaneRow};
use crate::db::instant::micros;
use crate::db::migrations::sqlite::known_version;
use crate::db::sqlite::SqlitePools;
use crate::export::{Export, ExportId, ExportStatus, Failure, Lease, Progress, Receipt};
use crate::queue::{self, Due};
use crate::sql::row::{self, ExportRow};
use crate::{
    Backlog, CHANGES_KEPT, Cancel, Claim, Enqueued, HandBack, IdempotencyKey, Lanes, Ledger,
    LedgerError, NewExport, OrgActivity, Page, SnapshotRecord, Terms,
};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct SqliteLedger {
    pub(super) pools: SqlitePools,
    changes: broadcast::Sender<ExportId>,
}

impl SqliteLedger {
    /// The ledger of a database that has the migrations.
    pub(crate) fn new(pools: SqlitePools) -> Self {
        Self {
            pools,
            changes: broadcast::Sender::new(CHANGES_KEPT),
        }
    }

    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        Ok(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) fn changed(&self, id: ExportId) {
        // Nobody listening is fine.
        drop(self.changes.send(id));
    }

    /// Runs an UPDATE that is guarded by the lease.
    async fn guarded(
        &self,
        lease: &Lease,
        update: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(), LedgerError> {
        let done = update.execute(&self.pools.writer).await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        self.changed(lease.export_id);
        Ok(())
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError> {
        self.accept(&new, terms).await
    }

    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        self.known(new, key).await
    }

    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError> {
        let row: Option<ExportRow<i64>> = sqlx::query_as(statements::GET)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&self.pools.readers)
            .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<ExportRow<i64>> = sqlx::query_as(statements::LIST)
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .bind(page.before.map(|id| id.to_string()))
            .bind(page.status.map(ExportStatus::name))
            .bind(page.dataset.as_deref())
            .bind(page.limit)
            .fetch_all(&self.pools.readers)
            .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let now = Utc::now();
        let lanes: Vec<LaneRow> = sqlx::query_as(statements::BACKLOG)
            .bind(micros(now))
            .bind(micros(now - DRAIN_SPAN))
            .fetch_all(&self.pools.readers)
            .await?;
        Ok(lanes.into())
    }

    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError> {
        let now = Utc::now();
        let (active, ended, span): (i64, i64, Option<f64>) = sqlx::query_as(statements::ACTIVITY)
            .bind(org.as_str())
            .bind(micros(now))
            .bind(micros(now - DRAIN_SPAN))
            .fetch_one(&self.pools.readers)
            .await?;
        Ok(OrgActivity {
            active: row::unsigned(active),
            ended: row::unsigned(ended),
            span: backlog::span(span),
        })
    }

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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(Utc::now() + lease_for))
            .bind(row::signed(progress.rows))
            .bind(row::signed(progress.bytes))
            .bind(progress.estimated_rows.map(row::signed));
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = sqlx::query_scalar(statements::HOLDS)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .fetch_one(&self.pools.readers)
            .await?;
        Ok(holds)
    }

    async fn isolate(&self, lease: &Lease) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::ISOLATE)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch);
        self.guarded(lease, update).await
    }

    async fn record_snapshot(
        &self,
        lease: &Lease,
        snapshot: &SnapshotRecord,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let reading = sqlx::query(statements::RECORD_SNAPSHOT)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(snapshot.materialized_at))
            .bind(snapshot.source_updated_at.map(micros))
            .bind(snapshot.estimated_rows.map(row::signed))
            .execute(&mut *tx)
            .await?;
        if reading.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        sqlx::query(statements::ANNOUNCE_UPLOAD)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(&snapshot.object_key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.changed(lease.export_id);
        Ok(())
    }

    async fn record_upload(&self, lease: &Lease, upload_id: &str) -> Result<(), LedgerError> {
        let update = sqlx::query(statements::RECORD_UPLOAD)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
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
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        sqlx::query(statements::FORGET_UPLOAD)
            .bind(&receipt.object_key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.changed(lease.export_id);
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(now))
            .bind(run_after.map(micros))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .fetch_optional(&mut *tx)
            .await?;
        let status = row::status(&status.ok_or(LedgerError::LeaseLost(lease.export_id))?)?;
        if let (ExportStatus::Queued, Some(delay), Some(run_after)) = (status, delay, run_after) {
            let due = Due::after(delay, run_after);
            queue::sqlite::push(&mut tx, lease.export_id, due).await?;
        }
        tx.commit().await?;
        self.changed(lease.export_id);
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(run_after))
            .bind(reason == HandBack::Outage)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        queue::sqlite::push(&mut tx, lease.export_id, Due::after(delay, run_after)).await?;
        tx.commit().await?;
        self.changed(lease.export_id);
        Ok(())
    }

    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError> {
        let row: Option<ExportRow<i64>> = sqlx::query_as(statements::CANCEL)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .bind(micros(Utc::now()))
            .fetch_optional(&self.pools.writer)
            .await?;
        let export = match row {
            Some(row) => {
                self.changed(id);
                Some(Export::try_from(row)?)
            }
            None => self.get(scope, id).await?,
        };
        Ok(export.map(Cancel::of))
    }

    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let gone: Option<Option<String>> = sqlx::query_scalar(statements::DELETE)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(file) = gone else {
            return Ok(false);
        };
        // What a running attempt writes goes by the record of its upload.
        if let Some(object_key) = file {
            leave_file(&mut tx, &object_key, Utc::now()).await?;
        }
        tx.commit().await?;
        self.changed(id);
        Ok(true)
    }

    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn check(&self) -> Result<(), LedgerError> {
        let newest: Option<i64> = sqlx::query_scalar(statements::NEWEST_MIGRATION)
            .fetch_one(&self.pools.readers)
            .await?;
        if newest < known_version() {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}

/// Records in the transaction that makes a file superfluous that it has to go.
pub(super) async fn leave_file(
    tx: &mut Transaction<'_, Sqlite>,
    object_key: &str,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query(statements::LEAVE_FILE)
        .bind(object_key)
        .bind(micros(now))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
