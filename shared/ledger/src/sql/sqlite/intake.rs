//! Taking exports in.

use async_trait::async_trait;
use waybill_report::caller::{KeyId, OrgId, Scope};
use waybill_report::spec::SPEC_VERSION;

use super::accept::{SqliteAcceptance, kept};
use super::ledger::{Row, SqliteLedger, leave_file};
use crate::accept::{accept, replay};
use crate::backlog::{Backlog, DRAIN_SPAN, OrgActivity};
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::error::LedgerError;
use crate::export::{Export, ExportId, ExportStatus};
use crate::intake::{Cancel, Enqueued, Intake, Page};
use crate::new_export::NewExport;
use crate::sql::backlog_rows::{ActivityRow, LaneRow};
use crate::sql::statement::on_sqlite;
use crate::sql::statements;
use crate::terms::{IdempotencyKey, Terms};

/// A row for each lane; $1 is the span that counts for the drain, $2 the newest version that is known.
const BACKLOG: &str = "
SELECT lane.large,
       (SELECT count(*) FROM exports WHERE status = 'queued' AND large = lane.large) AS queued,
       (SELECT count(*) FROM exports WHERE status = 'running' AND large = lane.large) AS running,
       (SELECT ({now} - min(run_after)) / 1e6 FROM exports
        WHERE status = 'queued' AND large = lane.large AND run_after <= {now}) AS oldest,
       (SELECT count(*) FROM exports
        WHERE status = 'queued' AND large = lane.large
          AND spec_version > 1 AND spec_version > $2) AS unknown,
       (SELECT count(*) FROM exports
        WHERE large = lane.large AND started_at >= {now} - $1) AS claimed,
       (SELECT ({now} - min(started_at)) / 1e6 FROM exports
        WHERE large = lane.large AND started_at >= {now} - $1) AS span
FROM (SELECT FALSE AS large UNION ALL SELECT TRUE) AS lane";

const DELETE: &str = "
DELETE FROM exports
WHERE id = $1 AND org_id = $2 AND ($3 IS NULL OR made_by = $3)
RETURNING object_key";

#[async_trait]
impl Intake for SqliteLedger {
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError> {
        let outcome = accept(SqliteAcceptance::begin(self).await?, &new, terms).await?;
        if let Enqueued::Accepted(export) = &outcome {
            self.changed(export.id);
        }
        Ok(outcome)
    }

    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        let mut connection = self.pools.readers.acquire().await?;
        let kept = kept(&mut connection, new, key, file_clock()).await?;
        Ok(replay(kept, &new.request()?))
    }

    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError> {
        let row: Option<Row> = on_sqlite!(
            query_as,
            statements::GET,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str)
        )
        .fetch_optional(&self.pools.readers)
        .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = on_sqlite!(
            query_as,
            statements::LIST,
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str),
            page.before.map(|id| id.to_string()),
            page.status.map(ExportStatus::name),
            page.dataset.as_deref(),
            page.limit
        )
        .fetch_all(&self.pools.readers)
        .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let lanes: Vec<LaneRow> = on_sqlite!(
            query_as,
            BACKLOG,
            whole_micros(DRAIN_SPAN),
            SPEC_VERSION,
            micros(file_clock())
        )
        .fetch_all(&self.pools.readers)
        .await?;
        Ok(lanes.into())
    }

    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError> {
        let row: ActivityRow<i64> = on_sqlite!(
            query_as,
            statements::ACTIVITY,
            org.as_str(),
            whole_micros(DRAIN_SPAN),
            micros(file_clock())
        )
        .fetch_one(&self.pools.readers)
        .await?;
        row.try_into()
    }

    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError> {
        let row: Option<Row> = on_sqlite!(
            query_as,
            statements::CANCEL,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str),
            micros(file_clock())
        )
        .fetch_optional(&self.pools.writer)
        .await?;
        let export = match row {
            Some(row) => {
                self.changed(id);
                Some(Export::try_from(row)?)
            }
            None => self.get(scope, id).await?,
        };
        Ok(export.map(Cancel::of))
    }

    async fn delete(&self, scope: &Scope, id: ExportId) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let gone: Option<Option<String>> = on_sqlite!(
            query_scalar,
            DELETE,
            id.to_string(),
            scope.org.as_str(),
            scope.made_by.as_ref().map(KeyId::as_str)
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(file) = gone else {
            return Ok(false);
        };
        // What a running attempt writes goes by the record of its upload.
        if let Some(object_key) = file {
            leave_file(&mut tx, &object_key, file_clock()).await?;
        }
        tx.commit().await?;
        self.changed(id);
        Ok(true)
    }
}
