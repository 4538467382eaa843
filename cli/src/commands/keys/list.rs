//! `waybill keys list`: all keys as a table.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Table, presets};
use waybill_ledger::keys::{ApiKey, KeyStore};

use super::words::{datasets, instant_or};
use crate::error::StartError;
use crate::output;

/// Flags of `waybill keys list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

pub(super) async fn run(keys: &dyn KeyStore) -> Result<(), StartError> {
    for line in table(&keys.list().await?).lines() {
        output::result(line)?;
    }
    Ok(())
}

/// The keys as a table, a line each below one of titles.
fn table(keys: &[ApiKey]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "ID",
        "ORG",
        "ROLE",
        "DATASETS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "REVOKED",
    ]);
    table.add_rows(keys.iter().map(|key| {
        [
            key.id.to_string(),
            key.org.to_string(),
            key.role.name().to_owned(),
            datasets(key),
            instant_or(Some(key.created_at), "-"),
            instant_or(key.expires_at, "-"),
            instant_or(key.last_used_at, "-"),
            instant_or(key.revoked_at, "-"),
        ]
    }));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use waybill_report::caller::{KeyId, OrgId, Role};

    use super::*;

    #[test]
    fn a_table_has_its_columns_one_below_the_other() {
        let key = |org: &str, datasets: Option<&str>| ApiKey {
            id: KeyId::generate(),
            org: OrgId::new(org),
            role: Role::Viewer,
            datasets: datasets.map(|name| BTreeSet::from([name.to_owned(), "b".to_owned()])),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: Some(DateTime::UNIX_EPOCH),
            revoked_at: None,
            last_used_at: None,
        };
        let table = table(&[key("übersetzung", None), key("a", Some("sessions"))]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(
            lines[2].contains("  a            viewer  b,sessions  1970-01-01T00:00:00Z  "),
            "{}",
            lines[2]
        );
        assert!(
            lines
                .iter()
                .all(|line| line.chars().position(|c| c == ' ').is_some())
        );
        let place = |line: &str, text: &str| {
            let at = line.find(text).expect("it is there");
            line[..at].chars().count()
        };
        assert_eq!(place(lines[0], "ROLE"), place(lines[1], "viewer"));
        assert_eq!(place(lines[0], "ROLE"), place(lines[2], "viewer"));
        assert!(lines[1].ends_with('-'));
    }
}
