//! The upkeep of a ledger on PostgreSQL.

mod statements;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::ledger::PostgresLedger;
use crate::error::LedgerError;
use crate::export::{ExportId, ExportStatus, Failure};
use crate::queue::{self, Due};
use crate::sql::row;
use crate::terms::IDEMPOTENCY_KEPT;
use crate::upkeep::{AT_ONCE, Leftover, Upkeep};

#[async_trait]
impl Upkeep for PostgresLedger {
    async fn now(&self) -> Result<DateTime<Utc>, LedgerError> {
        Ok(sqlx::query_scalar(statements::NOW)
            .fetch_one(&self.pool)
            .await?)
    }

    async fn requeue_lapsed(&self, all: bool) -> Result<Vec<ExportId>, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let lapsed: Vec<(String, String, DateTime<Utc>)> =
            sqlx::query_as(statements::REQUEUE_LAPSED)
                .bind(all)
                .fetch_all(&mut *tx)
                .await?;
        let mut ids = Vec::with_capacity(lapsed.len());
        for (id, status, run_after) in lapsed {
            let id = row::id(&id)?;
            if row::status(&status)? == ExportStatus::Queued {
                queue::postgres::push(&mut tx, id, Due::Now(run_after)).await?;
            }
            ids.push(id);
        }
        tx.commit().await?;
        Ok(ids)
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = sqlx::query_scalar(statements::GIVE_UP)
            .bind(after.as_secs_f64())
            .bind(failure.code.name())
            .bind(&failure.detail)
            .bind(i64::from(AT_ONCE))
            .fetch_all(&self.pool)
            .await?;
        given_up.iter().map(|id| row::id(id)).collect()
    }

    async fn wake_waiting(&self, waiting_for: Duration) -> Result<u64, LedgerError> {
        let mut tx = self.pool.begin().await?;
        let waiting: Vec<(String, DateTime<Utc>)> = sqlx::query_as(statements::WAITING)
            .bind(waiting_for.as_secs_f64())
            .bind(i64::from(queue::MOST_WAKE_UPS))
            .fetch_all(&mut *tx)
            .await?;
        let pending = queue::postgres::pending(&mut tx).await?;
        let undelivered = waiting.get(pending..).unwrap_or_default();
        for (id, now) in undelivered {
            queue::postgres::push(&mut tx, row::id(id)?, Due::Now(*now)).await?;
        }
        queue::postgres::forget_done(&mut tx).await?;
        tx.commit().await?;
        Ok(undelivered.len() as u64)
    }

    async fn bound_waits(
        &self,
        longest_pause: Duration,
        lease_for: Duration,
    ) -> Result<u64, LedgerError> {
        let bounded = sqlx::query(statements::BOUND_WAITS)
            .bind(longest_pause.as_secs_f64())
            .bind(lease_for.as_secs_f64())
            .execute(&self.pool)
            .await?;
        Ok(bounded.rows_affected())
    }

    async fn expire(&self) -> Result<u64, LedgerError> {
        let expired: i64 = sqlx::query_scalar(statements::EXPIRE)
            .bind(i64::from(AT_ONCE))
            .fetch_one(&self.pool)
            .await?;
        Ok(row::unsigned(expired))
    }

    async fn purge(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let purged = sqlx::query(statements::PURGE)
            .bind(kept_for.as_secs_f64())
            .bind(i64::from(AT_ONCE))
            .execute(&self.pool)
            .await?;
        sqlx::query(statements::FORGET_KEYS)
            .bind(IDEMPOTENCY_KEPT.as_secs_f64())
            .execute(&self.pool)
            .await?;
        Ok(purged.rows_affected())
    }

    async fn take_leftovers(
        &self,
        hold: Duration,
        rest: Duration,
    ) -> Result<Vec<Leftover>, LedgerError> {
        sqlx::query(statements::COLLECT)
            .bind(rest.as_secs_f64())
            .execute(&self.pool)
            .await?;
        let taken: Vec<(String, Option<String>, i32)> = sqlx::query_as(statements::TAKE)
            .bind(hold.as_secs_f64())
            .bind(i64::from(AT_ONCE))
            .fetch_all(&self.pool)
            .await?;
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
                .bind(after.as_secs_f64()),
            None => sqlx::query(statements::FORGET).bind(&leftover.object_key),
        };
        settled.execute(&self.pool).await?;
        Ok(())
    }
}
