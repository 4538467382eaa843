//! The upkeep of a ledger on SQLite.

mod statements;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::ledger::{SqliteLedger, leave_file};
use crate::db::instant::{micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{ExportId, ExportStatus, Failure};
use crate::queue::{self, Due};
use crate::sql::row;
use crate::terms::IDEMPOTENCY_KEPT;
use crate::upkeep::{AT_ONCE, Leftover, Upkeep};

#[async_trait]
impl Upkeep for SqliteLedger {
    async fn now(&self) -> Result<DateTime<Utc>, LedgerError> {
        Ok(Utc::now())
    }

    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError> {
        let now = Utc::now();
        let mut tx = self.write().await?;
        let lapsed: Vec<(String, String)> = sqlx::query_as(statements::REQUEUE_LAPSED)
            .bind(micros(now))
            .bind(all)
            .fetch_all(&mut *tx)
            .await?;
        let mut ids = Vec::with_capacity(lapsed.len());
        for (id, status) in lapsed {
            let id = row::id(&id)?;
            if row::status(&status)? == ExportStatus::Queued {
                queue::sqlite::push(&mut tx, id, Due::Now(now)).await?;
            }
            ids.push(id);
        }
        tx.commit().await?;
        for id in &ids {
            self.changed(*id);
        }
        Ok(ids)
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = sqlx::query_scalar(statements::GIVE_UP)
            .bind(micros(Utc::now()))
            .bind(whole_micros(after))
            .bind(failure.code.name())
            .bind(&failure.detail)
            .bind(AT_ONCE)
            .fetch_all(&self.pools.writer)
            .await?;
        let ids: Result<Vec<ExportId>, LedgerError> =
            given_up.iter().map(|id| row::id(id)).collect();
        let ids = ids?;
        for id in &ids {
            self.changed(*id);
        }
        Ok(ids)
    }

    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError> {
        let now = Utc::now();
        let mut tx = self.write().await?;
        let waiting: Vec<String> = sqlx::query_scalar(statements::WAITING)
            .bind(micros(now - waiting_for))
            .bind(i64::from(queue::MOST_WAKE_UPS))
            .fetch_all(&mut *tx)
            .await?;
        let pending = queue::sqlite::pending(&mut tx).await?;
        let undelivered = waiting.get(pending..).unwrap_or_default();
        for id in undelivered {
            queue::sqlite::push(&mut tx, row::id(id)?, Due::Now(now)).await?;
        }
        queue::sqlite::forget_done(&mut tx).await?;
        tx.commit().await?;
        if let Some(id) = undelivered.first() {
            self.changed(row::id(id)?);
        }
        Ok(undelivered.len() as u64)
    }

    async fn bound_waits(
        &self,
        longest_pause: Duration,
        lease_for: Duration,
    ) -> Result<u64, LedgerError> {
        let now = Utc::now();
        let bounded = sqlx::query(statements::BOUND_WAITS)
            .bind(micros(now))
            .bind(micros(now + longest_pause))
            .bind(micros(now + lease_for))
            .bind(micros(now + lease_for * 2))
            .execute(&self.pools.writer)
            .await?;
        Ok(bounded.rows_affected())
    }

    async fn expire(&self) -> Result<u64, LedgerError> {
        let now = Utc::now();
        let mut tx = self.write().await?;
        let expired: Vec<(String, String)> = sqlx::query_as(statements::EXPIRE)
            .bind(micros(now))
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
        for (_, object_key) in &expired {
            leave_file(&mut tx, object_key, now).await?;
        }
        tx.commit().await?;
        for (id, _) in &expired {
            self.changed(row::id(id)?);
        }
        Ok(expired.len() as u64)
    }

    async fn purge(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let purged = sqlx::query(statements::PURGE)
            .bind(micros(Utc::now() - kept_for))
            .bind(AT_ONCE)
            .execute(&self.pools.writer)
            .await?;
        sqlx::query(statements::FORGET_KEYS)
            .bind(micros(Utc::now() - IDEMPOTENCY_KEPT))
            .execute(&self.pools.writer)
            .await?;
        Ok(purged.rows_affected())
    }

    async fn take_leftovers(
        &self,
        hold: Duration,
        rest: Duration,
    ) -> Result<Vec<Leftover>, LedgerError> {
        let now = Utc::now();
        let mut tx = self.write().await?;
        let over: Vec<(String, String)> =
            sqlx::query_as(statements::OVER).fetch_all(&mut *tx).await?;
        for (object_key, upload_id) in over {
            sqlx::query(statements::LEAVE_UPLOAD)
                .bind(object_key)
                .bind(upload_id)
                .bind(micros(now + rest))
                .execute(&mut *tx)
                .await?;
        }
        let taken: Vec<(String, Option<String>, i32)> = sqlx::query_as(statements::TAKE)
            .bind(micros(now))
            .bind(micros(now + hold))
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(taken.into_iter().map(Leftover::from).collect())
    }

    async fn settle_leftover(
        &self,
        leftover: &Leftover,
        look_again: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let settled = match look_again {
            Some(after) => sqlx::query(statements::LOOK_AGAIN)
                .bind(&leftover.object_key)
                .bind(micros(Utc::now() + after)),
            None => sqlx::query(statements::FORGET).bind(&leftover.object_key),
        };
        settled.execute(&self.pools.writer).await?;
        Ok(())
    }
}
