//! The outbox on PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::interval::interval;
use super::ledger::PostgresLedger;

use crate::error::LedgerError;
use crate::outbox::{BATCH_SIZE, Event, Outbox, OutboxEvent};
use crate::sql::outbox_rows::{DROP, OutboxRow, POSTPONE, readable};
use crate::sql::statement::on_postgres;

/// What another process takes at the same time is left to it, and so is what only a newer program can
/// tell.
const TAKE: &str = "
UPDATE waybill.outbox
SET due_at = now() + $1, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM waybill.outbox AS due
    WHERE due_at <= now() AND event = ANY($2)
      AND NOT EXISTS (
        SELECT FROM waybill.outbox AS earlier
        WHERE earlier.export_id = due.export_id AND earlier.id < due.id AND earlier.event = ANY($2)
      )
    ORDER BY due_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
  )
RETURNING id, event, export_id, org_id, failure_code, occurred_at, attempts, heard";

const REMOVE: &str = "DELETE FROM waybill.outbox WHERE id = ANY($1)";

#[async_trait]
impl Outbox for PostgresLedger {
    async fn take_events(&self, hold: Duration) -> Result<Vec<OutboxEvent>, LedgerError> {
        let taken: Vec<OutboxRow<DateTime<Utc>>> = on_postgres!(
            query_as,
            TAKE,
            interval(hold),
            Event::names(),
            i64::from(BATCH_SIZE)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(readable(taken))
    }

    async fn remove_events(&self, ids: &[i64]) -> Result<(), LedgerError> {
        on_postgres!(query, REMOVE, ids).execute(&self.pool).await?;
        Ok(())
    }

    async fn postpone_event(
        &self,
        event: &OutboxEvent,
        heard: &[&str],
        delay: Duration,
    ) -> Result<(), LedgerError> {
        on_postgres!(
            query,
            POSTPONE,
            event.id,
            i64::from(event.attempts),
            heard.join(" "),
            interval(delay)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn drop_events(&self, kept_for: Duration) -> Result<u64, LedgerError> {
        let dropped = on_postgres!(query, DROP, interval(kept_for), i64::from(BATCH_SIZE))
            .execute(&self.pool)
            .await?;
        Ok(dropped.rows_affected())
    }
}
