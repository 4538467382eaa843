//! Accepting exports on PostgreSQL.
//!
//! The exports of one organisation are accepted one after the other, by a lock that ends with the
//! transaction: so its bound holds, its turns follow each other, and an identical request that comes at
//! the same time finds the export of the first. Organisations do not wait for each other, until the
//! queue is nearly full.

mod statements;

use sqlx::{PgConnection, Postgres, Transaction};
use waybill_report::caller::KeyId;

use super::ledger::{PostgresLedger, Row};
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::intake::Enqueued;
use crate::new_export::NewExport;
use crate::queue::{self, Due};
use crate::sql::row;
use crate::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, Terms};

/// What everyone who may fill the queue locks. Organisations' locks are of another form.
const QUEUE_LOCK: &str = "waybill.queue";

impl PostgresLedger {
    pub(super) async fn accept(
        &self,
        new: &NewExport,
        terms: &Terms,
    ) -> Result<Enqueued, LedgerError> {
        let id = ExportId::generate();
        let request = new.request()?;
        let _line = self.lines.enter(&new.org).await;
        let mut tx = self.pool.begin().await?;
        lock(&mut tx, &format!("waybill.org.{}", new.org)).await?;
        if let Some(key) = &terms.idempotency_key
            && !keep_key(&mut tx, new, key, &request, id).await?
        {
            let known = known(&mut tx, new, key, &request).await?;
            return known.ok_or_else(|| LedgerError::Corrupt("idempotency_keys".to_owned()));
        }
        if let Some(export) = shared(&mut tx, terms, &request).await? {
            if let Some(key) = &terms.idempotency_key {
                name_export(&mut tx, new, key, export.id).await?;
            }
            tx.commit().await?;
            return Ok(Enqueued::Shared(Box::new(export)));
        }
        let max_queued = terms.max_queued;
        let place = self
            .room
            .place(max_queued, async || count_queued(&mut tx, max_queued).await)
            .await?;
        let Some(place) = place else {
            return Ok(Enqueued::QueueFull);
        };
        if place.is_among_the_last() {
            lock(&mut tx, QUEUE_LOCK).await?;
            if count_queued(&mut tx, max_queued).await? >= max_queued {
                return Ok(Enqueued::QueueFull);
            }
        }
        let Some(export) = insert(&mut tx, id, new, terms, &request).await? else {
            return Ok(Enqueued::TooManyActive);
        };
        queue::postgres::push(&mut tx, id, Due::Now(export.created_at)).await?;
        tx.commit().await?;
        Ok(Enqueued::Accepted(Box::new(export)))
    }

    pub(super) async fn known(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        known(&mut connection, new, key, &new.request()?).await
    }
}

/// Waits for a lock that ends with the transaction. What a statement sees it sees after that.
async fn lock(tx: &mut Transaction<'_, Postgres>, name: &str) -> Result<(), LedgerError> {
    sqlx::query(statements::LOCK)
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn count_queued(
    connection: &mut PgConnection,
    no_further_than: u64,
) -> Result<u64, LedgerError> {
    let queued: i64 = sqlx::query_scalar(statements::COUNT_QUEUED)
        .bind(row::signed(no_further_than))
        .fetch_one(connection)
        .await?;
    Ok(row::unsigned(queued))
}

/// Lets the key stand for this request; `false` when it stands for one already.
async fn keep_key(
    connection: &mut PgConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    request: &str,
    id: ExportId,
) -> Result<bool, LedgerError> {
    let kept = sqlx::query(statements::KEEP_KEY)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .bind(request)
        .bind(id.to_string())
        .bind(IDEMPOTENCY_KEPT.as_secs_f64())
        .execute(connection)
        .await?;
    Ok(kept.rows_affected() > 0)
}

/// The export that the key stands for is this one.
async fn name_export(
    connection: &mut PgConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    id: ExportId,
) -> Result<(), LedgerError> {
    sqlx::query(statements::NAME_EXPORT)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// What the key stands for.
async fn known(
    connection: &mut PgConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    request: &str,
) -> Result<Option<Enqueued>, LedgerError> {
    let first: Option<String> = sqlx::query_scalar(statements::FIRST_REQUEST)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .bind(IDEMPOTENCY_KEPT.as_secs_f64())
        .fetch_optional(&mut *connection)
        .await?;
    match first {
        None => return Ok(None),
        Some(first) if first != request => return Ok(Some(Enqueued::KeyReused)),
        Some(_) => {}
    }
    let export: Option<Row> = sqlx::query_as(statements::FIRST_EXPORT)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    let export = export.map(Export::try_from).transpose()?;
    Ok(export.map(|export| Enqueued::Replayed(Box::new(export))))
}

/// Another export that answers the request.
async fn shared(
    connection: &mut PgConnection,
    terms: &Terms,
    request: &str,
) -> Result<Option<Export>, LedgerError> {
    let Some(sharing) = terms.sharing else {
        return Ok(None);
    };
    let row: Option<Row> = sqlx::query_as(statements::SHARED)
        .bind(request)
        .bind(sharing.reuse.map(|reuse| reuse.as_secs_f64()))
        .fetch_optional(connection)
        .await?;
    row.map(Export::try_from).transpose()
}

/// `None`: the organisation has as many as it may.
async fn insert(
    connection: &mut PgConnection,
    id: ExportId,
    new: &NewExport,
    terms: &Terms,
    request: &str,
) -> Result<Option<Export>, LedgerError> {
    let row: Option<Row> = sqlx::query_as(statements::INSERT)
        .bind(id.to_string())
        .bind(new.org.as_str())
        .bind(&new.query.dataset)
        .bind(row::query(new)?)
        .bind(new.format.name())
        .bind(&new.filename)
        .bind(row::max_attempts(new))
        .bind(new.made_by.as_ref().map(KeyId::as_str))
        .bind(new.estimated_rows.map(row::signed))
        .bind(new.lane.is_large())
        .bind(request)
        .bind(terms.sharing.is_some())
        .bind(row::signed(terms.max_active))
        .fetch_optional(connection)
        .await?;
    row.map(Export::try_from).transpose()
}
