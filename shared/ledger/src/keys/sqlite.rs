//! The keys in the ledger's SQLite file. The clock is the process's, which is the machine's.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::types::Json;
use waybill_config::Secret;
use waybill_report::caller::KeyId;

use super::row::{KeyRow, claimed_ids, matched, stored_names};
use super::{ApiKey, KeyStore, KeyStoreError, NewKey, secret, statements};
use crate::db::instant::{file_clock, micros, whole_micros};
use crate::db::sqlite::SqlitePools;
use crate::sql::statement::on_sqlite;

/// The ids come as a JSON array.
const FIND_MANY: &str = "
SELECT * FROM api_keys
WHERE id IN (SELECT value FROM json_each($1))
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct SqliteKeyStore {
    pools: SqlitePools,
}

impl SqliteKeyStore {
    /// The keys of a database that has the migrations.
    pub(crate) fn new(pools: SqlitePools) -> Self {
        Self { pools }
    }

    /// The row of a key that is valid now.
    async fn row(&self, id: &KeyId) -> Result<Option<KeyRow<i64>>, KeyStoreError> {
        let row = on_sqlite!(
            query_as,
            statements::FIND,
            id.as_str(),
            micros(file_clock())
        );
        Ok(row.fetch_optional(&self.pools.readers).await?)
    }

    /// The rows of those of these keys that are valid now.
    async fn rows(&self, ids: Vec<String>) -> Result<Vec<KeyRow<i64>>, KeyStoreError> {
        let rows = on_sqlite!(query_as, FIND_MANY, Json(ids), micros(file_clock()));
        Ok(rows.fetch_all(&self.pools.readers).await?)
    }
}

#[async_trait]
impl KeyStore for SqliteKeyStore {
    async fn create(&self, new: NewKey) -> Result<(ApiKey, Secret), KeyStoreError> {
        let id = KeyId::generate();
        let secret = secret::generate(&id);
        let row: KeyRow<i64> = on_sqlite!(
            query_as,
            statements::INSERT,
            id.as_str(),
            new.org.as_str(),
            new.role.name(),
            new.datasets.as_ref().map(stored_names),
            secret::hash(secret.expose()),
            new.expires_at.map(micros),
            micros(file_clock())
        )
        .fetch_one(&self.pools.writer)
        .await?;
        Ok((row.try_into()?, secret))
    }

    async fn list(&self) -> Result<Vec<ApiKey>, KeyStoreError> {
        let rows: Vec<KeyRow<i64>> = on_sqlite!(query_as, statements::LIST)
            .fetch_all(&self.pools.readers)
            .await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    async fn revoke(&self, id: &KeyId) -> Result<bool, KeyStoreError> {
        let done = on_sqlite!(query, statements::REVOKE, id.as_str(), micros(file_clock()))
            .execute(&self.pools.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn find_many(
        &self,
        presented: &[String],
    ) -> Result<Vec<Result<Option<ApiKey>, KeyStoreError>>, KeyStoreError> {
        let ids = claimed_ids(presented);
        let rows = if ids.is_empty() {
            Vec::new()
        } else {
            self.rows(ids).await?
        };
        Ok(matched(presented, rows))
    }

    async fn valid(&self, id: &KeyId) -> Result<Option<ApiKey>, KeyStoreError> {
        self.row(id).await?.map(ApiKey::try_from).transpose()
    }

    async fn used(&self, id: &KeyId, fresh_for: Duration) -> Result<(), KeyStoreError> {
        on_sqlite!(
            query,
            statements::USED,
            id.as_str(),
            whole_micros(fresh_for),
            micros(file_clock())
        )
        .execute(&self.pools.writer)
        .await?;
        Ok(())
    }
}
