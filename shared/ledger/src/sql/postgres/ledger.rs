//! The ledger on PostgreSQL: for any number of processes on any number of machines.
//!
//! Every transition is one guarded statement, and what has to happen together is one transaction.
//! The clock is the server's, so that machines need not agree. Calls fail as unavailable while the
//! server is away, within seconds, and work again once it is back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{PgPool, Postgres};
use tokio::sync::broadcast;
use waybill_report::caller::{KeyId, OrgId, Scope};

use super::changes::Changes;
use super::lines::Lines;
use super::room::Room;
use super::statements;
use crate::backlog::{self, DRAIN_SPAN, LaneRow};
use crate::db::migrations::postgres::known_versions;
use crate::export::{Export, ExportId, ExportStatus, Failure, Lease, Progress, Receipt};
use crate::queue::{self, Due};
use crate::sql::row::{self, ExportRow};
use crate::{
    Backlog, Cancel, Claim, Enqueued, HandBack, IdempotencyKey, Lanes, Ledger, LedgerError,
    NewExport, OrgActivity, Page, SnapshotRecord, Terms,
};

pub(super) type Row = ExportRow<DateTime<Utc>>;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PostgresLedger {
    pub(super) pool: PgPool,
    changes: Arc<Changes>,
    pub(super) room: Arc<Room>,
    pub(super) lines: Arc<Lines>,
}

impl PostgresLedger {
    /// The ledger of a database that has, or will have, the migrations. `listening` is a pool of
    /// one connection, for the changes.
    pub(crate) fn new(pool: PgPool, listening: PgPool) -> Self {
        Self {
            pool,
            changes: Arc::new(Changes::listen(listening)),
            room: Arc::default(),
            lines: Arc::default(),
        }
    }

    /// Runs a statement that is guarded by the lease.
    async fn guarded(
        &self,
        lease: &Lease,
        statement: sqlx::query::Query<'_, Postgres, PgArguments>,
    ) -> Result<(), LedgerError> {
        let done = statement.execute(&self.pool).await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id));
        }
        Ok(())
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
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
        let row: Option<Row> = sqlx::query_as(statements::GET)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&self.pool)
            .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(statements::LIST)
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .bind(page.before.map(|id| id.to_string()))
            .bind(page.status.map(ExportStatus::name))
            .bind(page.dataset.as_deref())
            .bind(i64::from(page.limit))
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let lanes: Vec<LaneRow> = sqlx::query_as(statements::BACKLOG)
            .bind(DRAIN_SPAN.as_secs_f64())
            .fetch_all(&self.pool)
            .await?;
        Ok(lanes.into())
    }

    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError> {
        let (active, ended, span): (i64, i64, Option<f64>) = sqlx::query_as(statements::ACTIVITY)
            .bind(org.as_str())
            .bind(DRAIN_SPAN.as_secs_f64())
            .fetch_one(&self.pool)
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(lease_for.as_secs_f64())
            .bind(row::signed(progress.rows))
            .bind(row::signed(progress.bytes))
            .bind(progress.estimated_rows.map(row::signed));
        self.guarded(lease, update).await
    }

    async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let holds = sqlx::query_scalar(statements::HOLDS)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .fetch_one(&self.pool)
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
        let record = sqlx::query(statements::RECORD_SNAPSHOT)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(snapshot.materialized_at)
            .bind(snapshot.source_updated_at)
            .bind(snapshot.estimated_rows.map(row::signed))
            .bind(&snapshot.object_key);
        self.guarded(lease, record).await
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
        let update = sqlx::query(statements::COMPLETE)
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(delay.map(|delay| delay.as_secs_f64()))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .fetch_optional(&mut *tx)
            .await?;
        let (status, run_after) = outcome.ok_or(LedgerError::LeaseLost(lease.export_id))?;
        let status = row::status(&status)?;
        if status == ExportStatus::Queued {
            let due = Due::after(delay.unwrap_or_default(), run_after);
            queue::postgres::push(&mut tx, lease.export_id, due).await?;
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
            .bind(lease.export_id.to_string())
            .bind(lease.epoch)
            .bind(delay.as_secs_f64())
            .bind(reason == HandBack::Outage)
            .fetch_optional(&mut *tx)
            .await?;
        let run_after = run_after.ok_or(LedgerError::LeaseLost(lease.export_id))?;
        queue::postgres::push(&mut tx, lease.export_id, Due::after(delay, run_after)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError> {
        let row: Option<Row> = sqlx::query_as(statements::CANCEL)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&self.pool)
            .await?;
        let export = match row {
            Some(row) => Some(Export::try_from(row)?),
            None => self.get(scope, id).await?,
        };
        Ok(export.map(Cancel::of))
    }

    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError> {
        let gone = sqlx::query(statements::DELETE)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&self.pool)
            .await?;
        Ok(gone.is_some())
    }

    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn check(&self) -> Result<(), LedgerError> {
        let newest: (Option<i64>, Option<i64>) = sqlx::query_as(statements::NEWEST_MIGRATIONS)
            .fetch_one(&self.pool)
            .await?;
        let known = known_versions();
        if newest.0 < known.0 || newest.1 < known.1 {
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }
}
