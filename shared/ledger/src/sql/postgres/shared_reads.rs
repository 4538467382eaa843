//! Reads of a ledger on PostgreSQL that serve many clients.

use async_trait::async_trait;

use super::ledger::{PostgresLedger, Row};
use super::statements;
use crate::export::{Export, ExportId};
use crate::sql::row;
use crate::{LedgerError, SharedReads};

#[async_trait]
impl SharedReads for PostgresLedger {
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
