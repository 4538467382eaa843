//! Reads of a ledger on SQLite that serve many clients.

use async_trait::async_trait;
use sqlx::types::Json;

use super::ledger::SqliteLedger;
use super::statements;
use crate::export::{Export, ExportId};
use crate::sql::row::{self, ExportRow};
use crate::{LedgerError, SharedReads};

#[async_trait]
impl SharedReads for SqliteLedger {
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
