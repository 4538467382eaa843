//! What accepting asks of SQLite. There is one writer, so whoever is in its transaction is alone.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use waybill_report::caller::KeyId;

use super::ledger::{Row, SqliteLedger};
use crate::accept::{Acceptance, Kept};
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::new_export::NewExport;
use crate::queue::{Due, Queue};
use crate::sql::row::{self, KeptRow, signed};
use crate::sql::statement::on_sqlite;
use crate::sql::statements;
use crate::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, Sharing};

/// The one transaction that writes, and when it began.
pub(super) struct SqliteAcceptance {
    tx: Transaction<'static, Sqlite>,
    now: DateTime<Utc>,
}

impl SqliteAcceptance {
    pub(super) async fn begin(ledger: &SqliteLedger) -> Result<Self, LedgerError> {
        Ok(Self {
            tx: ledger.write().await?,
            now: file_clock(),
        })
    }
}

#[async_trait]
impl Acceptance for SqliteAcceptance {
    async fn keep_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        request: &str,
        id: ExportId,
    ) -> Result<bool, LedgerError> {
        let kept = on_sqlite!(
            query,
            statements::KEEP_KEY,
            new.org.as_str(),
            new.key_holder(),
            key.as_str(),
            request,
            id.to_string(),
            whole_micros(IDEMPOTENCY_KEPT),
            micros(self.now)
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
        kept(&mut self.tx, new, key, self.now).await
    }

    async fn point_key(
        &mut self,
        new: &NewExport,
        key: &IdempotencyKey,
        id: ExportId,
    ) -> Result<(), LedgerError> {
        on_sqlite!(
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
        let row: Option<Row> = on_sqlite!(
            query_as,
            statements::SHARED,
            request,
            sharing.reuse.map(whole_micros),
            micros(self.now)
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        row.map(Export::try_from).transpose()
    }

    async fn reserve(&mut self, max_queued: u64) -> Result<bool, LedgerError> {
        let queued: i64 = on_sqlite!(query_scalar, statements::COUNT_QUEUED, signed(max_queued))
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(row::unsigned(queued) < max_queued)
    }

    async fn insert(
        &mut self,
        id: ExportId,
        new: &NewExport,
        request: &str,
        joinable: bool,
        max_active: u64,
    ) -> Result<Option<Export>, LedgerError> {
        let row: Option<Row> = on_sqlite!(
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
            signed(max_active),
            micros(self.now)
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

/// What a key stands for.
pub(super) async fn kept(
    connection: &mut SqliteConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    now: DateTime<Utc>,
) -> Result<Option<Kept>, LedgerError> {
    let row: Option<KeptRow<i64>> = on_sqlite!(
        query_as,
        statements::KEPT,
        new.org.as_str(),
        new.key_holder(),
        key.as_str(),
        whole_micros(IDEMPOTENCY_KEPT),
        micros(now)
    )
    .fetch_optional(connection)
    .await?;
    row.map(Kept::try_from).transpose()
}
