//! Hearing of changes.

use async_trait::async_trait;
use sqlx::types::Json;
use tokio::sync::broadcast;

use super::ledger::SqliteLedger;
use super::statements;
use crate::changes::Changes;
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::sql::row::{self, ExportRow};

#[async_trait]
impl Changes for SqliteLedger {
    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<ExportRow<i64>> = sqlx::query_as(statements::GET_MANY)
            .bind(texts(ids))
            .fetch_all(&self.pools.readers)
            .await?;
        Ok(row::readable(rows))
    }

    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(statements::REVISIONS)
            .bind(texts(ids))
            .fetch_all(&self.pools.readers)
            .await?;
        row::revisions(rows)
    }
}

/// There is no type for a list.
fn texts(ids: &[ExportId]) -> Json<Vec<String>> {
    Json(ids.iter().map(ExportId::to_string).collect())
}
