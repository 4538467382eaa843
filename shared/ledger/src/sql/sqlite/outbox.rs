//! The outbox on SQLite.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use serde_json::Value;

use super::ledger::SqliteLedger;
use crate::db::instant::micros;
use crate::error::LedgerError;
use crate::outbox::{BATCH_SIZE, Event, Outbox, OutboxEvent};
use crate::sql::outbox_row::{OutboxRow, readable};

/// ?1 is now, ?2 the end of the hold, ?3 the events as a JSON array. What only a newer program can tell is
/// left to it.
const TAKE: &str = "
UPDATE outbox
SET due_at = ?2, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM outbox AS due
    WHERE due_at <= ?1 AND event IN (SELECT value FROM json_each(?3))
      AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.export_id = due.export_id AND earlier.id < due.id
          AND earlier.event IN (SELECT value FROM json_each(?3))
      )
    ORDER BY due_at, id
    LIMIT ?4
  )
RETURNING id, event, export_id, org_id, failure_code, occurred_at, attempts, heard";

/// The ids come as a JSON array.
const REMOVE: &str = "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?1))";

const POSTPONE: &str = "UPDATE outbox SET heard = ?3, due_at = ?4 WHERE id = ?1 AND attempts = ?2";

/// Looks at no more than it may drop, however long the outbox is.
const DROP: &str = "
DELETE FROM outbox
WHERE id IN (
    SELECT id FROM (SELECT id, occurred_at FROM outbox ORDER BY id LIMIT ?2)
    WHERE occurred_at <= ?1
  )";

#[async_trait]
impl Outbox for SqliteLedger {
    async fn take_events(&self, hold: Duration) -> Result<Vec<OutboxEvent>, LedgerError> {
        let now = Utc::now();
        let taken: Vec<OutboxRow<i64>> = sqlx::query_as(TAKE)
            .bind(micros(now))
            .bind(micros(now + hold))
            .bind(Value::from(Event::names()).to_string())
            .bind(BATCH_SIZE)
            .fetch_all(&self.pools.writer)
            .await?;
        Ok(readable(taken))
    }

    async fn remove_events(&self, ids: &[i64]) -> Result<(), LedgerError> {
        sqlx::query(REMOVE)
            .bind(Value::from(ids).to_string())
            .execute(&self.pools.writer)
            .await?;
        Ok(())
    }

    async fn postpone_event(
        &self,
        event: &OutboxEvent,
        heard: &[&str],
        delay: Duration,
    ) -> Result<(), LedgerError> {
        sqlx::query(POSTPONE)
            .bind(event.id)
            .bind(event.attempts)
            .bind(heard.join(" "))
            .bind(micros(Utc::now() + delay))
            .execute(&self.pools.writer)
            .await?;
        Ok(())
    }

    async fn drop_events(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let dropped = sqlx::query(DROP)
            .bind(micros(Utc::now() - kept_for))
            .bind(BATCH_SIZE)
            .execute(&self.pools.writer)
            .await?;
        Ok(dropped.rows_affected())
    }
}
