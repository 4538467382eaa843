//! A row of the keys' table, and how it becomes an [`ApiKey`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{ApiKey, KeysError, secret};
use crate::caller::{OrgId, Role};
use crate::database::StoredInstant;

/// `T` is what the database keeps instants in.
#[derive(sqlx::FromRow)]
pub(super) struct KeyRow<T> {
    id: String,
    org_id: String,
    role: String,
    datasets: Option<String>,
    secret_sha256: Vec<u8>,
    created_at: T,
    expires_at: Option<T>,
    revoked_at: Option<T>,
    last_used_at: Option<T>,
}

impl<T> KeyRow<T> {
    /// Whether a presented text is this key's secret.
    pub(super) fn is_of(&self, presented: &str) -> bool {
        secret::is(&self.secret_sha256, presented)
    }
}

impl<T: StoredInstant> TryFrom<KeyRow<T>> for ApiKey {
    type Error = KeysError;

    fn try_from(row: KeyRow<T>) -> Result<Self, KeysError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("id", &row.id))?,
            org: OrgId::new(row.org_id),
            role: Role::from_name(&row.role).ok_or_else(|| corrupt("role", &row.role))?,
            datasets: row.datasets.as_deref().map(names).transpose()?,
            created_at: instant(row.created_at)?,
            expires_at: row.expires_at.map(instant).transpose()?,
            revoked_at: row.revoked_at.map(instant).transpose()?,
            last_used_at: row.last_used_at.map(instant).transpose()?,
        })
    }
}

/// Names of datasets as they are stored, a JSON array.
pub(super) fn stored_names(names: &BTreeSet<String>) -> String {
    serde_json::Value::from_iter(names.iter().map(String::as_str)).to_string()
}

fn names(stored: &str) -> Result<BTreeSet<String>, KeysError> {
    serde_json::from_str(stored).map_err(|_| corrupt("datasets", stored))
}

fn instant(stored: impl StoredInstant) -> Result<DateTime<Utc>, KeysError> {
    stored
        .utc()
        .map_err(|stored| corrupt("instant", &stored.to_string()))
}

fn corrupt(column: &str, value: &str) -> KeysError {
    KeysError::Corrupt(format!("{column} = {value:?}"))
}
