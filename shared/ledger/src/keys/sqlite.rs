//! The keys in the ledger's SQLite file. The clock is the process's, which is the machine's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use waybill_config::Secret;
use waybill_report::caller::KeyId;

use super::row::{KeyRow, claimed_ids, matched, stored_names};
use super::{ApiKey, Keys, KeysError, NewKey, secret};
use crate::db::instant::micros;
use crate::db::sqlite::SqlitePools;

const INSERT: &str = "
INSERT INTO api_keys (id, org_id, role, datasets, secret_sha256, created_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
RETURNING *";

const LIST: &str = "SELECT * FROM api_keys ORDER BY created_at, id";

const REVOKE: &str = "
UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";

const FIND: &str = "
SELECT * FROM api_keys
WHERE id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";

const FIND_MANY: &str = "
SELECT * FROM api_keys
WHERE id IN (SELECT value FROM json_each(?1))
  AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";

const USED: &str = "
UPDATE api_keys SET last_used_at = ?2
WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?3)";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct SqliteKeys {
    pools: SqlitePools,
}

impl SqliteKeys {
    /// The keys of a database that has the migrations.
    pub(crate) fn new(pools: SqlitePools) -> Self {
        Self { pools }
    }

    /// The row of a key that is valid now.
    async fn row(&self, id: &KeyId) -> Result<Option<KeyRow<i64>>, KeysError> {
        let row = sqlx::query_as(FIND).bind(id.as_str());
        let row = row.bind(micros(Utc::now()));
        Ok(row.fetch_optional(&self.pools.readers).await?)
    }
}

#[async_trait]
impl Keys for SqliteKeys {
    async fn create(&self, new: NewKey) -> Result<(ApiKey, Secret), KeysError> {
        let id = KeyId::generate();
        let secret = secret::generate(&id);
        let row: KeyRow<i64> = sqlx::query_as(INSERT)
            .bind(id.as_str())
            .bind(new.org.as_str())
            .bind(new.role.name())
            .bind(new.datasets.as_ref().map(stored_names))
            .bind(secret::hash(secret.expose()))
            .bind(micros(Utc::now()))
            .bind(new.expires_at.map(micros))
            .fetch_one(&self.pools.writer)
            .await?;
        Ok((row.try_into()?, secret))
    }

    async fn list(&self) -> Result<Vec<ApiKey>, KeysError> {
        let rows: Vec<KeyRow<i64>> = sqlx::query_as(LIST).fetch_all(&self.pools.readers).await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    async fn revoke(&self, id: &KeyId) -> Result<bool, KeysError> {
        let done = sqlx::query(REVOKE)
            .bind(id.as_str())
            .bind(micros(Utc::now()))
            .execute(&self.pools.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn find(&self, presented: &str) -> Result<Option<ApiKey>, KeysError> {
        let Some(id) = secret::claimed_id(presented) else {
            return Ok(None);
        };
        let row = self.row(&id).await?.filter(|row| row.is_of(presented));
        row.map(ApiKey::try_from).transpose()
    }

    async fn find_many(
        &self,
        presented: &[String],
    ) -> Result<Vec<Result<Option<ApiKey>, KeysError>>, KeysError> {
        let ids = claimed_ids(presented);
        let rows: Vec<KeyRow<i64>> = if ids.is_empty() {
            Vec::new()
        } else {
            let rows = sqlx::query_as(FIND_MANY).bind(serde_json::Value::from(ids).to_string());
            let rows = rows.bind(micros(Utc::now()));
            rows.fetch_all(&self.pools.readers).await?
        };
        Ok(matched(presented, rows))
    }

    async fn valid(&self, id: &KeyId) -> Result<Option<ApiKey>, KeysError> {
        self.row(id).await?.map(ApiKey::try_from).transpose()
    }

    async fn used(&self, id: &KeyId, fresh_for: Duration) -> Result<(), KeysError> {
        let now = Utc::now();
        sqlx::query(USED)
            .bind(id.as_str())
            .bind(micros(now))
            .bind(micros(now - fresh_for))
            .execute(&self.pools.writer)
            .await?;
        Ok(())
    }
}
