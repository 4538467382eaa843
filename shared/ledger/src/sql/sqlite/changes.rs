//! Hearing of changes.

use async_trait::async_trait;
use sqlx::types::Json;
use tokio::sync::broadcast;

use super::ledger::{Row, SqliteLedger};
use crate::changes::Changes;
use crate::error::LedgerError;
use crate::export::{Export, ExportId};
use crate::sql::row;
use crate::sql::statement::on_sqlite;

/// The ids come as a JSON array.
const GET_MANY: &str = "SELECT * FROM exports WHERE id IN (SELECT value FROM json_each($1))";

const REVISIONS: &str =
    "SELECT id, revision FROM exports WHERE id IN (SELECT value FROM json_each($1))";

#[async_trait]
impl Changes for SqliteLedger {
    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.changes.subscribe()
    }

    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError> {
        let rows: Vec<Row> = on_sqlite!(query_as, GET_MANY, texts(ids))
            .fetch_all(&self.pools.readers)
            .await?;
        Ok(row::readable(rows))
    }

    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError> {
        let rows: Vec<(String, i64)> = on_sqlite!(query_as, REVISIONS, texts(ids))
            .fetch_all(&self.pools.readers)
            .await?;
        row::revisions(rows)
    }
}

/// There is no type for a list.
fn texts(ids: &[ExportId]) -> Json<Vec<String>> {
    Json(ids.iter().map(ExportId::to_string).collect())
}
