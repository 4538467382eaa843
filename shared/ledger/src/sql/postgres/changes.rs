//! Hearing of changes.

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::ledger::{PostgresLedger, Row};
use crate::changes::Changes;
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::sql::row;
use crate::sql::statement::on_postgres;

/// In one walk along the primary key.
const GET_MANY: &str = "SELECT * FROM waybill.exports WHERE id = ANY($1)";

const REVISIONS: &str = "SELECT id, revision FROM waybill.exports WHERE id = ANY($1)";

#[async_trait]
impl Changes for PostgresLedger {
    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = on_postgres!(query_as, GET_MANY, texts(ids))
            .fetch_all(&self.pool)
            .await?;
        Ok(row::readable(rows))
    }

    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError> {
        let rows: Vec<(String, i64)> = on_postgres!(query_as, REVISIONS, texts(ids))
            .fetch_all(&self.pool)
            .await?;
        row::revisions(rows)
    }
}

fn texts(ids: &[ExportId]) -> Vec<String> {
    ids.iter().map(ExportId::to_string).collect()
}
