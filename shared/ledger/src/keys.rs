//! API keys: who may ask, as what, and until when.
//!
//! A key's secret is shown once, when it is made; only its SHA-256 is stored. A secret is chance
//! alone, 238 bits of it, so a fast hash tells nothing about it: what slow hashes are for is
//! passwords that people chose. The key's id is part of the secret's text, so that it is found by
//! its primary key and compared once, in constant time.
//!
//! Knows no HTTP: what a key may do is read off its [`Caller`].

pub(crate) mod postgres;
mod row;
mod secret;
pub(crate) mod sqlite;
mod statements;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_config::Secret;
use waybill_report::caller::{Caller, KeyId, OrgId, Role};

use crate::db::error::lacks_tables;

/// The keys of an installation.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Makes a key. The secret is `waybill_`, 16 characters of the key's id, `_` and 40 random ones
    /// (letters and digits); it cannot be had again.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`], [`KeyStoreError::SchemaOutdated`].
    async fn create(&self, new: NewKey) -> Result<(ApiKey, Secret), KeyStoreError>;

    /// Returns every key, oldest first, also expired and revoked ones.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    async fn list(&self) -> Result<Vec<ApiKey>, KeyStoreError>;

    /// Ends a key at once; `false` when there is none of this id. Ending it again changes nothing.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`], [`KeyStoreError::SchemaOutdated`].
    async fn revoke(&self, id: &KeyId) -> Result<bool, KeyStoreError>;

    /// Returns the key of a presented secret. `None` for everything that is not the secret of a key that is
    /// valid now: malformed, unknown, wrong, expired, revoked.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    async fn find(&self, presented: &str) -> Result<Option<ApiKey>, KeyStoreError> {
        let mut found = self.find_many(&[presented.to_owned()]).await?;
        found.pop().unwrap_or(Ok(None))
    }

    /// Returns what [`find`](Self::find) says of each of these, in their order, by one statement at most.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`], [`KeyStoreError::SchemaOutdated`], for all of them.
    async fn find_many(
        &self,
        presented: &[String],
    ) -> Result<Vec<Result<Option<ApiKey>, KeyStoreError>>, KeyStoreError>;

    /// Returns the key of this id. `None` for one that is not valid now: unknown, expired, revoked. It proves
    /// nothing about who asks: for those who showed its secret before.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    async fn valid(&self, id: &KeyId) -> Result<Option<ApiKey>, KeyStoreError>;

    /// Records that a key is used now. Changes nothing while the recorded use is not older than
    /// `fresh_for`: that is what keeps a busy key from writing all the time.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`], [`KeyStoreError::SchemaOutdated`].
    async fn used(&self, id: &KeyId, fresh_for: Duration) -> Result<(), KeyStoreError>;
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Whose rows and exports it gives.
    pub org: OrgId,
    /// What it may do.
    pub role: Role,
    /// Names of the datasets that it may use; `None` = all of them.
    pub datasets: Option<BTreeSet<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is worth nothing; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to a minute or so; `None` = never.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Returns who comes with this key.
    #[must_use]
    pub fn caller(self) -> Caller {
        Caller {
            org: self.org,
            role: self.role,
            key: Some(self.id),
            datasets: self.datasets,
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose rows and exports it gives.
    pub org: OrgId,
    /// What it may do.
    pub role: Role,
    /// Names of the datasets that it may use; `None` = all of them.
    pub datasets: Option<BTreeSet<String>>,
    /// From when on it is worth nothing; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why nothing can be said about keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The database's schema is older than this program, or not there at all.
    #[error("the database has not the migrations of this program; run `waybill migrate`")]
    SchemaOutdated,
    /// A row that this program cannot have written.
    #[error("the table of keys holds an unreadable row: {0}")]
    Corrupt(String),
    /// The database does not answer or fails.
    #[error("the database of keys is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
}

impl From<sqlx::Error> for KeyStoreError {
    fn from(error: sqlx::Error) -> Self {
        if lacks_tables(&error) {
            Self::SchemaOutdated
        } else {
            Self::Unavailable(error)
        }
    }
}
