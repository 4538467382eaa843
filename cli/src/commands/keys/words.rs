//! How a key's properties are written.

use chrono::{DateTime, SecondsFormat, Utc};
use waybill_ledger::keys::ApiKey;

/// Returns the datasets that a key may use, separated by commas.
pub(super) fn datasets(key: &ApiKey) -> String {
    key.datasets.as_ref().map_or("all".to_owned(), |names| {
        names.iter().cloned().collect::<Vec<_>>().join(",")
    })
}

/// Returns an instant to the second, or what stands for none.
pub(super) fn instant_or(instant: Option<DateTime<Utc>>, none: &str) -> String {
    instant.map_or(none.to_owned(), |instant| {
        instant.to_rfc3339_opts(SecondsFormat::Secs, true)
    })
}
