//! Taking exports in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_report::caller::{KeyId, OrgId, Scope};
use waybill_report::spec::SPEC_VERSION;

use super::accept::{PostgresAcceptance, kept};
use super::interval::interval;
use super::ledger::{PostgresLedger, Row};
use crate::accept::{accept, replay};
use crate::backlog::{Backlog, DRAIN_SPAN, OrgActivity};
use crate::error::LedgerError;
use crate::export::{Export, ExportId, ExportStatus};
use crate::intake::{Cancel, Enqueued, Intake, Page};
use crate::new_export::NewExport;
use crate::sql::backlog_rows::{ActivityRow, LaneRow};
use crate::sql::statement::on_postgres;
use crate::sql::statements;
use crate::terms::{IdempotencyKey, Terms};

/// A row for each lane; $1 is the span that counts for the drain, $2 the newest version that is known.
const BACKLOG: &str = "
SELECT lane.large,
       (SELECT count(*) FROM waybill.exports
        WHERE status = 'queued' AND large = lane.large) AS queued,
       (SELECT count(*) FROM waybill.exports
        WHERE status = 'running' AND large = lane.large) AS running,
       (SELECT extract(epoch FROM now() - min(run_after))::float8 FROM waybill.exports
        WHERE status = 'queued' AND large = lane.large AND run_after <= now()) AS oldest,
       (SELECT count(*) FROM waybill.exports
        WHERE status = 'queued' AND large = lane.large
          AND spec_version > 1 AND spec_version > $2) AS unknown,
       claims.claimed,
       claims.span
FROM (VALUES (FALSE), (TRUE)) AS lane (large)
CROSS JOIN LATERAL (
    SELECT count(*) AS claimed, extract(epoch FROM now() - min(started_at))::float8 AS span
    FROM waybill.exports
    WHERE large = lane.large AND started_at >= now() - $1
  ) AS claims";

/// The file goes as an orphaned object, and what a running attempt writes by the record of its upload.
const DELETE: &str = "
WITH gone AS (
    DELETE FROM waybill.exports
    WHERE id = $1 AND org_id = $2 AND ($3 IS NULL OR made_by = $3)
    RETURNING object_key
), left_over AS (
    INSERT INTO waybill.leftovers (object_key, look_at)
    SELECT object_key, now() FROM gone WHERE object_key IS NOT NULL
    ON CONFLICT (object_key) DO NOTHING
)
SELECT FROM gone";

#[async_trait]
impl Intake for PostgresLedger {
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError> {
        accept(
            PostgresAcceptance::begin(self, &new.org).await?,
            &new,
            terms,
        )
        .await
    }

    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let kept = kept(&mut connection, new, key).await?;
        Ok(replay(kept, &new.request()?))
    }

    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError> {
        let row: Option<Row> = on_postgres!(
            query_as,
            statements::GET,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str)
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = on_postgres!(
            query_as,
            statements::LIST,
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str),
            page.before.map(|id| id.to_string()),
            page.status.map(ExportStatus::name),
            page.dataset.as_deref(),
            i64::from(page.limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let lanes: Vec<LaneRow> =
            on_postgres!(query_as, BACKLOG, interval(DRAIN_SPAN), SPEC_VERSION)
                .fetch_all(&self.pool)
                .await?;
        Ok(lanes.into())
    }

    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError> {
        let row: ActivityRow<DateTime<Utc>> = on_postgres!(
            query_as,
            statements::ACTIVITY,
            org.as_str(),
            interval(DRAIN_SPAN)
        )
        .fetch_one(&self.pool)
        .await?;
        row.try_into()
    }

    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError> {
        let row: Option<Row> = on_postgres!(
            query_as,
            statements::CANCEL,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str)
        )
        .fetch_optional(&self.pool)
        .await?;
        let export = match row {
            Some(row) => Some(Export::try_from(row)?),
            None => self.get(scope, id).await?,
        };
        Ok(export.map(Cancel::of))
    }

    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError> {
        let gone = on_postgres!(
            query,
            DELETE,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str)
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(gone.is_some())
    }
}
