//! The keys on PostgreSQL. The clock is the server's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use waybill_config::Secret;
use waybill_report::caller::KeyId;

use super::row::{KeyRow, claimed_ids, matched, stored_names};
use super::{ApiKey, KeyStore, KeyStoreError, NewKey, secret, statements};
use crate::sql::postgres::interval::interval;
use crate::sql::statement::on_postgres;

const FIND_MANY: &str = "
SELECT * FROM waybill.api_keys
WHERE id = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PostgresKeyStore {
    pool: PgPool,
}

impl PostgresKeyStore {
    /// The keys of a database that has the migrations.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The row of a key that is valid now.
    async fn row(&self, id: &KeyId) -> Result<Option<KeyRow<DateTime<Utc>>>, KeyStoreError> {
        let row = on_postgres!(query_as, statements::FIND, id.as_str());
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// The rows of those of these keys that are valid now.
    async fn rows(&self, ids: Vec<String>) -> Result<Vec<KeyRow<DateTime<Utc>>>, KeyStoreError> {
        let rows = on_postgres!(query_as, FIND_MANY, ids);
        Ok(rows.fetch_all(&self.pool).await?)
    }
}

#[async_trait]
impl KeyStore for PostgresKeyStore {
    async fn create(&self, new: NewKey) -> Result<(ApiKey, Secret), KeyStoreError> {
        let id = KeyId::generate();
        let secret = secret::generate(&id);
        let row: KeyRow<DateTime<Utc>> = on_postgres!(
            query_as,
            statements::INSERT,
            id.as_str(),
            new.org.as_str(),
            new.role.name(),
            new.datasets.as_ref().map(stored_names),
            secret::hash(secret.expose()),
            new.expires_at
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.try_into()?, secret))
    }

    async fn list(&self) -> Result<Vec<ApiKey>, KeyStoreError> {
        let rows: Vec<KeyRow<DateTime<Utc>>> = on_postgres!(query_as, statements::LIST)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    async fn revoke(&self, id: &KeyId) -> Result<bool, KeyStoreError> {
        let done = on_postgres!(query, statements::REVOKE, id.as_str())
            .execute(&self.pool)
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
        on_postgres!(query, statements::USED, id.as_str(), interval(fresh_for))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
