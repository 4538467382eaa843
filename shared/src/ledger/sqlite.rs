//! The ledger on one SQLite file, shared with the queue: for one process on one machine.
//!
//! All writes go through one connection, so none ever finds the file locked; reads have connections
//! of their own (WAL). The clock is the process's, which is the machine's.

mod row;
mod sql;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::broadcast;

use self::row::ExportRow;
use super::{Backlog, Claim, Enqueued, Ledger, LedgerError, NewExport, Page, UploadRecord};
use crate::caller::OrgId;
use crate::export::{Export, ExportId, ExportStatus, Failure, Lease, Progress, Receipt};
use crate::queue;

/// How long a statement waits for another process that looks into the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections for reads.
const READERS: u32 = 4;
/// Changes that a slow listener may fall behind.
const CHANGES_KEPT: usize = 1_024;
/// The span over which the drain is measured.
const DRAIN_SPAN: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Clone, Debug)]
pub struct SqliteLedger {
    writer: SqlitePool,
    readers: SqlitePool,
    changes: broadcast::Sender<ExportId>,
}

impl SqliteLedger {
    /// Opens the file, makes it if need be, and applies the migrations of ledger and queue.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`], also when a migration fails.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An accepted export outlives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        queue::migrate(&writer).await?;
        migrations().run(&writer).await.map_err(sqlx::Error::from)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self {
            writer,
            readers,
            changes: broadcast::Sender::new(CHANGES_KEPT),
        })
    }

    /// The connection that the queue shares.
    #[must_use]
    pub fn queue_pool(&self) -> &SqlitePool {
        &self.writer
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    fn changed(&self, id: ExportId) {
        // Nobody listening is fine.
        drop(self.changes.send(id));
    }

    /// Runs an UPDATE that is guarded by the lease.
    async fn guarded(
        &self,
        lease: &Lease,
        update: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(), LedgerError> {
        let done = update.execute(&self.writer).await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        self.changed(lease.export_id);
        Ok(())
    }
}

/// Ours stand in a table of their own: the queue's migrations own sqlx's usual one.
fn migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("../migrations/sqlite");
    migrator.dangerous_set_table_name("waybill_migrations");
    migrator
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn enqueue(&self, new: NewExport, max_queued: u64) -> Result<Enqueued, LedgerError> {
        let id = ExportId::generate();
        let mut tx = self.write().await?;
        let queued: i64 = sqlx::query_scalar(sql::COUNT_QUEUED)
            .fetch_one(&mut *tx)
            .await?;
        if row::unsigned(queued) >= max_queued {
            return Ok(Enqueued::QueueFull);
        }
        let row: ExportRow = sqlx::query_as(sql::INSERT)
            .bind(id.to_string())
            .bind(new.org.as_str())
            .bind(&new.query.dataset)
            .bind(row::json(&new.query)?)
            .bind(new.format.name())
            .bind(&new.filename)
            .bind(new.max_attempts)
            .bind(micros(Utc::now()))
            .fetch_one(&mut *tx)
            .await?;
        queue::push(&mut tx, id, Duration::ZERO).await?;
        tx.commit().await?;
        self.changed(id);
        Ok(Enqueued::Accepted(Box::new(row.try_into()?)))
    }

    async fn get(&self, org: &OrgId, id: ExportId) -> Result<Option<Export>, LedgerError> {
        let row: Option<ExportRow> = sqlx::query_as(sql::GET)
            .bind(id.to_string())
            .bind(org.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, org: &OrgId, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<ExportRow> = sqlx::query_as(sql::LIST)
            .bind(org.as_str())
            .bind(page.before.map(|id| id.to_string()))
            .bind(page.status.map(ExportStatus::name))
            .bind(page.dataset.as_deref())
            .bind(page.limit)
            .fetch_all(&self.readers)
            .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let now = Utc::now();
        let (queued, claimed, first): (i64, i64, Option<i64>) = sqlx::query_as(sql::BACKLOG)
            .bind(micros(now - DRAIN_SPAN))
            .fetch_one(&self.readers)
            .await?;
        let span = first
            .and_then(DateTime::from_timestamp_micros)
            .and_then(|first| (now - first).to_std().ok())
            .unwrap_or_default();
        Ok(Backlog {
            queued: row::unsigned(queued),
            claimed: row::unsigned(claimed),
            span,
        })
    }

    async fn claim_next(&self, lease_for: Duration) -> Result<Option<Claim>, LedgerError> {
        let now = Utc::now();
        let row: Option<ExportRow> = sqlx::query_as(sql::CLAIM_NEXT)
            .bind(micros(now))
            .bind(micros(now + lease_for))
            .fetch_optional(&self.writer)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let export = Export::try_from(row)?;
        self.changed(export.id);
        let lease = Lease {
            export_id: export.id,
            epoch: export.epoch,
        };
        Ok(Some(Claim { export, lease }))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_for: Duration,
        progress: Progress,
    ) -> Result<(), LedgerError> {
        let update = sqlx::query(sql::RENEW)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(Utc::now() + lease_for))
            .bind(row::signed(progress.rows))
            .bind(row::signed(progress.bytes))
            .bind(progress.estimated_rows.map(row::signed));
        self.guarded(lease, update).await
    }

    async fn record_snapshot(
        &self,
        lease: &Lease,
        materialized_at: DateTime<Utc>,
        source_updated_at: Option<DateTime<Utc>>,
    ) -> Result<(), LedgerError> {
        let update = sqlx::query(sql::RECORD_SNAPSHOT)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(materialized_at))
            .bind(source_updated_at.map(micros));
        self.guarded(lease, update).await
    }

    async fn record_upload(&self, lease: &Lease, upload: &UploadRecord) -> Result<(), LedgerError> {
        let insert = sqlx::query(sql::RECORD_UPLOAD)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(&upload.object_key)
            .bind(&upload.upload_id);
        self.guarded(lease, insert).await
    }

    async fn complete(
        &self,
        lease: &Lease,
        receipt: &Receipt,
        retention: Duration,
    ) -> Result<(), LedgerError> {
        let now = Utc::now();
        let mut tx = self.write().await?;
        let done = sqlx::query(sql::COMPLETE)
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
        sqlx::query(sql::FORGET_UPLOAD)
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
        let mut tx = self.write().await?;
        let status: Option<String> = sqlx::query_scalar(sql::FAIL)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(now))
            .bind(delay.map(|delay| micros(now + delay)))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .fetch_optional(&mut *tx)
            .await?;
        let status = row::status(&status.ok_or(LedgerError::LeaseLost(lease.export_id))?)?;
        if status == ExportStatus::Queued {
            queue::push(&mut tx, lease.export_id, delay.unwrap_or_default()).await?;
        }
        tx.commit().await?;
        self.changed(lease.export_id);
        Ok(status)
    }

    async fn hand_back(&self, lease: &Lease, delay: Duration) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let done = sqlx::query(sql::HAND_BACK)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(micros(Utc::now() + delay))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        queue::push(&mut tx, lease.export_id, delay).await?;
        tx.commit().await?;
        self.changed(lease.export_id);
        Ok(())
    }

    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError> {
        let mut tx = self.write().await?;
        let lapsed: Vec<(String, String)> = sqlx::query_as(sql::REQUEUE_LAPSED)
            .bind(micros(Utc::now()))
            .bind(all)
            .fetch_all(&mut *tx)
            .await?;
        let mut ids = Vec::with_capacity(lapsed.len());
        for (id, status) in lapsed {
            let id = row::id(&id)?;
            if row::status(&status)? == ExportStatus::Queued {
                queue::push(&mut tx, id, Duration::ZERO).await?;
            }
            ids.push(id);
        }
        tx.commit().await?;
        for id in &ids {
            self.changed(*id);
        }
        Ok(ids)
    }

    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError> {
        let mut tx = self.write().await?;
        let waiting: Vec<String> = sqlx::query_scalar(sql::WAITING)
            .bind(micros(Utc::now() - waiting_for))
            .bind(i64::from(queue::MOST_WAKE_UPS))
            .fetch_all(&mut *tx)
            .await?;
        let pending = queue::pending(&mut tx).await?;
        let undelivered = waiting.get(pending..).unwrap_or_default();
        for id in undelivered {
            queue::push(&mut tx, row::id(id)?, Duration::ZERO).await?;
        }
        queue::forget_done(&mut tx).await?;
        tx.commit().await?;
        if let Some(id) = undelivered.first() {
            self.changed(row::id(id)?);
        }
        Ok(undelivered.len() as u64)
    }

    async fn stale_uploads(&self) -> Result<Vec<UploadRecord>, LedgerError> {
        let rows: Vec<(String, String)> = sqlx::query_as(sql::STALE_UPLOADS)
            .fetch_all(&self.readers)
            .await?;
        let record = |(object_key, upload_id)| UploadRecord {
            object_key,
            upload_id,
        };
        Ok(rows.into_iter().map(record).collect())
    }

    async fn forget_upload(&self, upload: &UploadRecord) -> Result<(), LedgerError> {
        sqlx::query(sql::FORGET_UPLOAD)
            .bind(&upload.object_key)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn check(&self) -> Result<(), LedgerError> {
        let newest: Option<i64> = sqlx::query_scalar(sql::NEWEST_MIGRATION)
            .fetch_one(&self.readers)
            .await?;
        let known = migrations().iter().map(|migration| migration.version).max();
        if newest < known {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}

fn micros(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}
