//! Accepting exports on SQLite. There is one writer, so whoever is in its transaction is alone.

mod statements;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use waybill_report::caller::KeyId;

use super::ledger::SqliteLedger;
use crate::db::instant::micros;
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::intake::Enqueued;
use crate::new_export::NewExport;
use crate::queue::{self, Due};
use crate::sql::row::{self, ExportRow};
use crate::terms::{IDEMPOTENCY_KEPT, IdempotencyKey, Terms};

impl SqliteLedger {
    pub(super) async fn accept(
        &self,
        new: &NewExport,
        terms: &Terms,
    ) -> Result<Enqueued, LedgerError> {
        let id = ExportId::generate();
        let request = new.request()?;
        let now = Utc::now();
        let mut tx = self.write().await?;
        if let Some(key) = &terms.idempotency_key
            && !keep_key(&mut tx, new, key, &request, id, now).await?
        {
            let known = known(&mut tx, new, key, &request, now).await?;
            return known.ok_or_else(|| LedgerError::Corrupt("idempotency_keys".to_owned()));
        }
        if let Some(export) = shared(&mut tx, terms, &request, now).await? {
            if let Some(key) = &terms.idempotency_key {
                name_export(&mut tx, new, key, export.id).await?;
            }
            tx.commit().await?;
            return Ok(Enqueued::Shared(Box::new(export)));
        }
        let queued: i64 = sqlx::query_scalar(statements::COUNT_QUEUED)
            .fetch_one(&mut *tx)
            .await?;
        if row::unsigned(queued) >= terms.max_queued {
            return Ok(Enqueued::QueueFull);
        }
        let Some(export) = insert(&mut tx, id, new, terms, &request, now).await? else {
            return Ok(Enqueued::TooManyActive);
        };
        queue::sqlite::push(&mut tx, id, Due::Now(export.created_at)).await?;
        tx.commit().await?;
        self.changed(id);
        Ok(Enqueued::Accepted(Box::new(export)))
    }

    pub(super) async fn known(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        let mut connection = self.pools.readers.acquire().await?;
        known(&mut connection, new, key, &new.request()?, Utc::now()).await
    }
}

/// Lets the key stand for this request; `false` when it stands for one already.
async fn keep_key(
    connection: &mut SqliteConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    request: &str,
    id: ExportId,
    now: DateTime<Utc>,
) -> Result<bool, LedgerError> {
    let kept = sqlx::query(statements::KEEP_KEY)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .bind(request)
        .bind(id.to_string())
        .bind(micros(now))
        .bind(micros(now - IDEMPOTENCY_KEPT))
        .execute(connection)
        .await?;
    Ok(kept.rows_affected() > 0)
}

/// The export that the key stands for is this one.
async fn name_export(
    connection: &mut SqliteConnection,
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
    connection: &mut SqliteConnection,
    new: &NewExport,
    key: &IdempotencyKey,
    request: &str,
    now: DateTime<Utc>,
) -> Result<Option<Enqueued>, LedgerError> {
    let first: Option<String> = sqlx::query_scalar(statements::FIRST_REQUEST)
        .bind(new.org.as_str())
        .bind(new.made_by.as_ref().map_or("", KeyId::as_str))
        .bind(key.as_str())
        .bind(micros(now - IDEMPOTENCY_KEPT))
        .fetch_optional(&mut *connection)
        .await?;
    match first {
        None => return Ok(None),
        Some(first) if first != request => return Ok(Some(Enqueued::KeyReused)),
        Some(_) => {}
    }
    let export: Option<ExportRow<i64>> = sqlx::query_as(statements::FIRST_EXPORT)
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
    connection: &mut SqliteConnection,
    terms: &Terms,
    request: &str,
    now: DateTime<Utc>,
) -> Result<Option<Export>, LedgerError> {
    let Some(sharing) = terms.sharing else {
        return Ok(None);
    };
    let row: Option<ExportRow<i64>> = sqlx::query_as(statements::SHARED)
        .bind(request)
        .bind(micros(now))
        .bind(sharing.reuse.map(|reuse| micros(now - reuse)))
        .fetch_optional(connection)
        .await?;
    row.map(Export::try_from).transpose()
}

/// `None`: the organisation has as many as it may.
async fn insert(
    connection: &mut SqliteConnection,
    id: ExportId,
    new: &NewExport,
    terms: &Terms,
    request: &str,
    now: DateTime<Utc>,
) -> Result<Option<Export>, LedgerError> {
    let row: Option<ExportRow<i64>> = sqlx::query_as(statements::INSERT)
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
        .bind(micros(now))
        .fetch_optional(connection)
        .await?;
    row.map(Export::try_from).transpose()
}
