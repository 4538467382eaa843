//! A row of the keys' table, and how it becomes an [`ApiKey`].

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use waybill_report::caller::{OrgId, Role};

use super::{ApiKey, KeyStoreError, secret};
use crate::db::instant::StoredInstant;

/// `T` is what the database keeps instants in.
#[derive(Clone, sqlx::FromRow)]
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

/// The ids that presented texts say they are of, each once.
pub(super) fn claimed_ids(presented: &[String]) -> Vec<String> {
    let ids = presented.iter().filter_map(|text| secret::claimed_id(text));
    let ids: BTreeSet<String> = ids.map(|id| id.to_string()).collect();
    ids.into_iter().collect()
}

/// Which of these keys each presented text is the secret of.
pub(super) fn matched<T: StoredInstant + Clone>(
    presented: &[String],
    rows: Vec<KeyRow<T>>,
) -> Vec<Result<Option<ApiKey>, KeyStoreError>> {
    let rows: HashMap<String, KeyRow<T>> =
        rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let find = |text: &String| {
        let row = rows.get(secret::claimed_id(text)?.as_str())?;
        row.is_of(text).then(|| row.clone())
    };
    let found = presented.iter().map(find);
    found
        .map(|row| row.map(ApiKey::try_from).transpose())
        .collect()
}

impl<T: StoredInstant> TryFrom<KeyRow<T>> for ApiKey {
    type Error = KeyStoreError;

    fn try_from(row: KeyRow<T>) -> Result<Self, KeyStoreError> {
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

fn names(stored: &str) -> Result<BTreeSet<String>, KeyStoreError> {
    serde_json::from_str(stored).map_err(|_| corrupt("datasets", stored))
}

fn instant(stored: impl StoredInstant) -> Result<DateTime<Utc>, KeyStoreError> {
    stored
        .utc()
        .map_err(|stored| corrupt("instant", &stored.to_string()))
}

fn corrupt(column: &str, value: &str) -> KeyStoreError {
    KeyStoreError::Corrupt(format!("{column} = {value:?}"))
}
