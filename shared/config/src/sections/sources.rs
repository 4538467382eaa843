//! `[sources.<name>]`: what reports read from.

use serde::Deserialize;

use crate::database_url::DatabaseUrl;
use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("sources.*.url", Rule::Database),
    setting("sources.*.connections", Rule::Integer(1, 1_000)),
];

/// `[sources.<name>]`: one database that reports read from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// See [`source_url`](crate::Config::source_url).
    pub url: Option<DatabaseUrl>,
    /// The most connections of one process, 1 to 1,000; `None` = as many as it reads reports at once.
    pub connections: Option<usize>,
}
