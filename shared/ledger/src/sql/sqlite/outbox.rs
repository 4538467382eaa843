//! The outbox on SQLite.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::types::Json;

use super::ledger::SqliteLedger;
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::error::LedgerError;
use crate::outbox::{BATCH_SIZE, Event, Outbox, OutboxEvent};
use crate::sql::outbox_rows::{DROP, OutboxRow, POSTPONE, readable};
use crate::sql::statement::on_sqlite;

/// What only a newer program can tell is left to it.
const TAKE: &str = "
UPDATE outbox
SET due_at = {now} + $1, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM outbox AS due
    WHERE due_at <= {now} AND event IN (SELECT value FROM json_each($2))
      AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.export_id = due.export_id AND earlier.id < due.id
          AND earlier.event IN (SELECT value FROM json_each($2))
      )
    ORDER BY due_at, id
    LIMIT $3
  )
RETURNING id, event, export_id, org_id, failure_code, occurred_at, attempts, heard";

const REMOVE: &str = "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1))";

#[async_trait]
impl Outbox for SqliteLedger {
    async fn take_events(&self, hold: Duration) -> Result<Vec<OutboxEvent>, LedgerError> {
        let taken: Vec<OutboxRow<i64>> = on_sqlite!(
            query_as,
            TAKE,
            whole_micros(hold),
            Json(Event::names()),
            BATCH_SIZE,
            micros(file_clock())
        )
        .fetch_all(&self.pools.writer)
        .await?;
        Ok(readable(taken))
    }

    async fn remove_events(&self, ids: &[i64]) -> Result<(), LedgerError> {
        on_sqlite!(query, REMOVE, Json(ids))
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
        on_sqlite!(
            query,
            POSTPONE,
            event.id,
            event.attempts,
            heard.join(" "),
            whole_micros(delay),
            micros(file_clock())
        )
        .execute(&self.pools.writer)
        .await?;
        Ok(())
    }

    async fn drop_events(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let dropped = on_sqlite!(
            query,
            DROP,
            whole_micros(kept_for),
            BATCH_SIZE,
            micros(file_clock())
        )
        .execute(&self.pools.writer)
        .await?;
        Ok(dropped.rows_affected())
    }
}
