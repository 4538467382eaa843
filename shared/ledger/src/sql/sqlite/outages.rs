//! Outages of what exports need, on SQLite.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;

use super::ledger::SqliteLedger;
use crate::LedgerError;
use crate::db::instant::micros;
use crate::export::{ExportId, Failure};
use crate::outages::{Outages, RUNNABLE_FOR, SourceOutage};
use crate::sql::row;
use crate::upkeep::AT_ONCE;

const RECORD_RUNNABLE: &str = "
INSERT INTO runnable_sources (source, seen_at) VALUES (?1, ?2)
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// ?1 is now, ?2 the source, ?3 its datasets as a JSON array, ?4 the length of the outage, ?5 when
/// somebody's word is too old.
const COUNT_OUTAGE: &str = "
UPDATE exports
SET outage = outage + min(max(?1 - max(coalesce(outage_counted_until, run_after), run_after), 0), ?4),
    outage_counted_until = ?1
WHERE status = 'queued' AND run_after <= ?1 AND dataset IN (SELECT value FROM json_each(?3))
  AND NOT EXISTS (SELECT 1 FROM runnable_sources WHERE source = ?2 AND seen_at > ?5)";

const GIVE_UP: &str = "
UPDATE exports
SET status = 'failed', revision = revision + 1, completed_at = ?1,
    failure_code = ?3, failure_detail = ?4
WHERE id IN (
    SELECT id FROM exports
    WHERE status = 'queued' AND outage > 0 AND outage >= ?2
    ORDER BY outage DESC
    LIMIT ?5
  )
RETURNING id";

#[async_trait]
impl Outages for SqliteLedger {
    async fn record_runnable(&self, sources: &[&str]) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        for source in sources {
            sqlx::query(RECORD_RUNNABLE)
                .bind(*source)
                .bind(micros(Utc::now()))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn count_outage(&self, outage: SourceOutage<'_>) -> Result<u64, LedgerError> {
        let now = Utc::now();
        let counted = sqlx::query(COUNT_OUTAGE)
            .bind(micros(now))
            .bind(outage.source)
            .bind(serde_json::Value::from(outage.datasets).to_string())
            .bind(whole_micros(outage.lasted))
            .bind(micros(now - RUNNABLE_FOR))
            .execute(&self.pools.writer)
            .await?;
        Ok(counted.rows_affected())
    }

    async fn give_up(
        &self,
        after: Duration,
        failure: &Failure,
    ) -> Result<Vec<ExportId>, LedgerError> {
        let given_up: Vec<String> = sqlx::query_scalar(GIVE_UP)
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
}

/// A duration as SQLite keeps it.
pub(super) fn whole_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
