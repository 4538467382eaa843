//! Outages of what exports need, on PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;

use super::ledger::PostgresLedger;
use crate::LedgerError;
use crate::export::{ExportId, Failure};
use crate::outages::{Outages, RUNNABLE_FOR, SourceOutage};
use crate::sql::row;
use crate::upkeep::AT_ONCE;

/// In one order, so that processes that do the same at once do not wait for each other in a circle.
const RECORD_RUNNABLE: &str = "
INSERT INTO waybill.runnable_sources (source, seen_at)
SELECT DISTINCT source, now() FROM unnest($1::text[]) AS source ORDER BY source
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// What another process claims or counts at the same time is left to it.
const COUNT_OUTAGE: &str = "
WITH waiting AS (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND run_after <= now() AND dataset = ANY($2)
      AND NOT EXISTS (
        SELECT FROM waybill.runnable_sources
        WHERE source = $1 AND seen_at > now() - make_interval(secs => $4)
      )
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET outage = outage + least(greatest(now() - greatest(outage_counted_until, run_after), '0'),
                            make_interval(secs => $3)),
    outage_counted_until = now()
FROM waiting
WHERE exports.id = waiting.id";

const GIVE_UP: &str = "
UPDATE waybill.exports
SET status = 'failed', revision = revision + 1, completed_at = now(),
    failure_code = $2, failure_detail = $3
WHERE id IN (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND outage > '0' AND outage >= make_interval(secs => $1)
    ORDER BY outage DESC
    LIMIT $4
    FOR UPDATE SKIP LOCKED
  )
RETURNING id";

#[async_trait]
impl Outages for PostgresLedger {
    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        sqlx::query(RECORD_RUNNABLE)
            .bind(sources)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let counted = sqlx::query(COUNT_OUTAGE)
            .bind(outage.source)
            .bind(outage.datasets)
            .bind(outage.lasted.as_secs_f64())
            .bind(RUNNABLE_FOR.as_secs_f64())
            .execute(&self.pool)
            .await?;
        Ok(counted.rows_affected())
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = sqlx::query_scalar(GIVE_UP)
            .bind(after.as_secs_f64())
            .bind(failure.code.name())
            .bind(&failure.detail)
            .bind(i64::from(AT_ONCE))
            .fetch_all(&self.pool)
            .await?;
        given_up.iter().map(|id| row::id(id)).collect()
    }
}
