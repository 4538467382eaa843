//! The keys on PostgreSQL. The clock is the server's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use waybill_config::Secret;
use waybill_report::caller::KeyId;

use super::row::{KeyRow, claimed_ids, matched, stored_names};
use super::{ApiKey, Keys, KeysError, NewKey, secret};

const INSERT: &str = "
INSERT INTO waybill.api_keys (id, org_id, role, datasets, secret_sha256, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, now(), $6)
RETURNING *";

const LIST: &str = "SELECT * FROM waybill.api_keys ORDER BY created_at, id";

const REVOKE: &str = "
UPDATE waybill.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1";

const FIND: &str = "
SELECT * FROM waybill.api_keys
WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

const FIND_MANY: &str = "
SELECT * FROM waybill.api_keys
WHERE id = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

const USED: &str = "
UPDATE waybill.api_keys SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => $2))";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PostgresKeys {
    pool: PgPool,
}

impl PostgresKeys {
    /// The keys of a database that has the migrations.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The row of a key that is valid now.
    async fn row(&self, id: &KeyId) -> Result<Option<KeyRow<DateTime<Utc>>>, KeysError> {
        let row = sqlx::query_as(FIND).bind(id.as_str());
        Ok(row.fetch_optional(&self.pool).await?)
    }
}

#[async_trait]
impl Keys for PostgresKeys {
    async fn create(&self, new: NewKey) -> Result<(ApiKey, Secret), KeysError> {
        let id = KeyId::generate();
        let secret = secret::generate(&id);
        let row: KeyRow<DateTime<Utc>> = sqlx::query_as(INSERT)
            .bind(id.as_str())
            .bind(new.org.as_str())
            .bind(new.role.name())
            .bind(new.datasets.as_ref().map(stored_names))
            .bind(secret::hash(secret.expose()))
            .bind(new.expires_at)
            .fetch_one(&self.pool)
            .await?;
        Ok((row.try_into()?, secret))
    }

    async fn list(&self) -> Result<Vec<ApiKey>, KeysError> {
        let rows: Vec<KeyRow<DateTime<Utc>>> = sqlx::query_as(LIST).fetch_all(&self.pool).await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    async fn revoke(&self, id: &KeyId) -> Result<bool, KeysError> {
        let done = sqlx::query(REVOKE)
            .bind(id.as_str())
            .execute(&self.pool)
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
        let rows: Vec<KeyRow<DateTime<Utc>>> = if ids.is_empty() {
            Vec::new()
        } else {
            let rows = sqlx::query_as(FIND_MANY).bind(ids);
            rows.fetch_all(&self.pool).await?
        };
        Ok(matched(presented, rows))
    }

    async fn valid(&self, id: &KeyId) -> Result<Option<ApiKey>, KeysError> {
        self.row(id).await?.map(ApiKey::try_from).transpose()
    }

    async fn used(&self, id: &KeyId, fresh_for: Duration) -> Result<(), KeysError> {
        sqlx::query(USED)
            .bind(id.as_str())
            .bind(fresh_for.as_secs_f64())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
