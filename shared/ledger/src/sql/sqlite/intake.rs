//! Taking exports in.

use async_trait::async_trait;
use chrono::Utc;
use waybill_report::caller::{KeyId, OrgId, Scope};

use super::ledger::{SqliteLedger, leave_file};
use super::statements;
use crate::backlog::{Backlog, DRAIN_SPAN, OrgActivity};
use crate::db::instant::micros;
use crate::error::LedgerError;
use crate::export::{Export, ExportId, ExportStatus};
use crate::intake::{Cancel, Enqueued, Intake, Page};
use crate::new_export::NewExport;
use crate::sql::lane_row::{self, LaneRow};
use crate::sql::row::{self, ExportRow};
use crate::terms::{IdempotencyKey, Terms};

#[async_trait]
impl Intake for SqliteLedger {
    async fn enqueue(&self, new: NewExport, terms: &Terms) -> Result<Enqueued, LedgerError> {
        self.accept(&new, terms).await
    }

    async fn replay(
        &self,
        new: &NewExport,
        key: &IdempotencyKey,
    ) -> Result<Option<Enqueued>, LedgerError> {
        self.known(new, key).await
    }

    async fn get(&self, scope: &Scope, id: ExportId) -> Result<Option<Export>, LedgerError> {
        let row: Option<ExportRow<i64>> = sqlx::query_as(statements::GET)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&self.pools.readers)
            .await?;
        row.map(Export::try_from).transpose()
    }

    async fn list(&self, scope: &Scope, page: &Page) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<ExportRow<i64>> = sqlx::query_as(statements::LIST)
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .bind(page.before.map(|id| id.to_string()))
            .bind(page.status.map(ExportStatus::name))
            .bind(page.dataset.as_deref())
            .bind(page.limit)
            .fetch_all(&self.pools.readers)
            .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let now = Utc::now();
        let lanes: Vec<LaneRow> = sqlx::query_as(statements::BACKLOG)
            .bind(micros(now))
            .bind(micros(now - DRAIN_SPAN))
            .fetch_all(&self.pools.readers)
            .await?;
        Ok(lanes.into())
    }

    async fn activity(&self, org: &OrgId) -> Result<OrgActivity, LedgerError> {
        let now = Utc::now();
        let (active, ended, span): (i64, i64, Option<f64>) = sqlx::query_as(statements::ACTIVITY)
            .bind(org.as_str())
            .bind(micros(now))
            .bind(micros(now - DRAIN_SPAN))
            .fetch_one(&self.pools.readers)
            .await?;
        Ok(OrgActivity {
            active: row::unsigned(active),
            ended: row::unsigned(ended),
            span: lane_row::span(span),
        })
    }

    async fn cancel(&self, scope: &Scope, id: ExportId) -> Result<Option<Cancel>, LedgerError> {
        let row: Option<ExportRow<i64>> = sqlx::query_as(statements::CANCEL)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .bind(micros(Utc::now()))
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
        let gone: Option<Option<String>> = sqlx::query_scalar(statements::DELETE)
            .bind(id.to_string())
            .bind(scope.org.as_str())
            .bind(scope.made_by.as_ref().map(KeyId::as_str))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(file) = gone else {
            return Ok(false);
        };
        // What a running attempt writes goes by the record of its upload.
        if let Some(object_key) = file {
            leave_file(&mut tx, &object_key, Utc::now()).await?;
        }
        tx.commit().await?;
        self.changed(id);
        Ok(true)
    }
}
