//! Hearing of changes.

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::ledger::{PostgresLedger, Row};
use super::statements;
use crate::changes::Changes;
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::sql::row;

#[async_trait]
impl Changes for PostgresLedger {
    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(statements::GET_MANY)
            .bind(texts(ids))
            .fetch_all(&self.pool)
            .await?;
        Ok(row::readable(rows))
    }

    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(statements::REVISIONS)
            .bind(texts(ids))
            .fetch_all(&self.pool)
            .await?;
        row::revisions(rows)
    }
}

fn texts(ids: &[ExportId]) -> Vec<String> {
    ids.iter().map(ExportId::to_string).collect()
}
