//! What accepting asks of PostgreSQL.
//!
//! The exports of one organisation are accepted one after the other, by a lock that ends with the
//! transaction: so its bound holds, its turns follow each other, and an identical request that comes at
//! the same time finds the export of the first. Organisations do not wait for each other, until the
//! queue is nearly full.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::OwnedMutexGuard;
use waybill_report::caller::{KeyId, OrgId};

use super::interval::interval;
use super::ledger::{PostgresLedger, Row};
use super::queue_capacity::{QueueCapacity, Reservation};
use crate::accept::{Acceptance, Kept};
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::new_export::NewExport;
use crate::queue::{Due, Queue};
use crate::sql::row::{self, KeptRow, signed};
use crate::sql::statement::on_postgres;
use crate::sql::statements;
use crate::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, Sharing};

const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
/// What everyone who may fill the queue locks. Organisations' locks are of another form.
const QUEUE_LOCK: &str = "waybill.queue";

/// A transaction that holds the lock of an organisation. What it reserves is given back after its end,
/// and the organisation's next one begins after that.
pub(super) struct PostgresAcceptance<'l> {
    reservation: Option<Reservation<'l>>,
    tx: Transaction<'static, Postgres>,
    _turn: OwnedMutexGuard<()>,
    capacity: &'l QueueCapacity,
}

impl<'l> PostgresAcceptance<'l> {
    pub(super) async fn begin(
        ledger: &'l PostgresLedger,
        org: &OrgId,
    ) -> Result<Self, LedgerError> {
        let turn = ledger.turns.lock(org).await;
        let mut tx = ledger.pool.begin().await?;
        lock(&mut tx, &format!("waybill.org.{org}")).await?;
        Ok(Self {
            reservation: None,
            tx,
            _turn: turn,
            capacity: &ledger.capacity,
        })
    }
}

#[async_trait]
impl Acceptance for PostgresAcceptance<'_> {
    async fn keep_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        request: &str,
        id: ExportId,
    ) -> Result<bool, LedgerError> {
        let kept = on_postgres!(
            query,
            statements::KEEP_KEY,
            new.org.as_str(),
            new.key_holder(),
            key.as_str(),
            request,
            id.to_string(),
            interval(IDEMPOTENCY_KEPT)
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(kept.rows_affected() > 0)
    }

    async fn kept(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Kept>, LedgerError> {
        kept(&mut self.tx, new, key).await
    }

    async fn point_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        id: ExportId,
    ) -> Result<(), LedgerError> {
        on_postgres!(
            query,
            statements::POINT_KEY,
            new.org.as_str(),
            new.key_holder(),
            key.as_str(),
            id.to_string()
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    async fn shared(
        &mut self,
        request: &str,
        sharing: Sharing,
    ) -> Result<Option<Export>, LedgerError> {
        let row: Option<Row> = on_postgres!(
            query_as,
            statements::SHARED,
            request,
            sharing.reuse.map(interval)
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        row.map(Export::try_from).transpose()
    }

    async fn reserve(&mut self, max_queued: u64) -> Result<bool, LedgerError> {
        let tx = &mut self.tx;
        let count = async || count_queued(&mut *tx, max_queued).await;
        let Some(reservation) = self.capacity.reserve(max_queued, count).await? else {
            return Ok(false);
        };
        if reservation.is_among_the_last() {
            lock(&mut self.tx, QUEUE_LOCK).await?;
            if count_queued(&mut self.tx, max_queued).await? >= max_queued {
                return Ok(false);
            }
        }
        self.reservation = Some(reservation);
        Ok(true)
    }

    async fn insert(
        &mut self,
        id: ExportId,
        new: &NewExport,
        request: &str,
        joinable: bool,
        max_active: u64,
    ) -> Result<Option<Export>, LedgerError> {
        let row: Option<Row> = on_postgres!(
            query_as,
            statements::INSERT,
            id.to_string(),
            new.org.as_str(),
            &new.spec.query.dataset,
            row::json(&new.spec.query)?,
            new.spec.format.format().name(),
            &new.spec.filename,
            row::json(&new.spec)?,
            new.spec.version(),
            row::max_attempts(new),
            new.made_by.as_ref().map(KeyId::as_str),
            new.estimated_rows.map(signed),
            new.lane.is_large(),
            request,
            joinable,
            signed(max_active)
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        row.map(Export::try_from).transpose()
    }

    async fn push(&mut self, id: ExportId, now: DateTime<Utc>) -> Result<(), LedgerError> {
        Queue::push(&mut *self.tx, id, Due::Now(now)).await
    }

    async fn commit(self) -> Result<(), LedgerError> {
        Ok(self.tx.commit().await?)
    }
}

/// Waits for a lock that ends with the transaction. What a statement sees it sees after that.
async fn lock(tx: &mut Transaction<'_, Postgres>, name: &str) -> Result<(), LedgerError> {
    on_postgres!(query, LOCK, name).execute(&mut **tx).await?;
    Ok(())
}

async fn count_queued(
    tx: &mut Transaction<'_, Postgres>,
    no_further_than: u64,
) -> Result<u64, LedgerError> {
    let queued: i64 = on_postgres!(
        query_scalar,
        statements::COUNT_QUEUED,
        signed(no_further_than)
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(row::unsigned(queued))
}

/// What a key stands for.
pub(super) async fn kept(
    connection: &mut PgConnection,
    new: &NewExport,
    key: &IdempotencyKey,
) -> Result<Option<Kept>, LedgerError> {
    let row: Option<KeptRow<DateTime<Utc>>> = on_postgres!(
        query_as,
        statements::KEPT,
        new.org.as_str(),
        new.key_holder(),
        key.as_str(),
        interval(IDEMPOTENCY_KEPT)
    )
    .fetch_optional(connection)
    .await?;
    row.map(Kept::try_from).transpose()
}
