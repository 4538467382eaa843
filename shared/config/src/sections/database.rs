//! `[database]`: where exports and their queue are kept.

use serde::Deserialize;

use crate::database_url::DatabaseUrl;
use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[setting("database.url", Rule::Database)];

/// `[database]`: where exports and their queue are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// See [`database_url`](crate::Config::database_url).
    pub url: Option<DatabaseUrl>,
}
