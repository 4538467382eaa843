//! `waybill keys`: makes, lists and ends API keys.
//!
//! A secret is printed once, alone on standard output, so that it can be piped to where it is kept;
//! everything else goes to standard error.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use waybill_config::Config;
use waybill_ledger::keys::{ApiKey, Keys, KeysError, NewKey};
use waybill_report::caller::{KeyId, OrgId, Role};

use crate::error::StartFault;
use crate::settings::Settings;
use crate::{database, output, runtime, startup};

/// What can be done with keys.
#[derive(Subcommand, Debug)]
pub(crate) enum KeysCommand {
    /// Makes a key and prints its secret, once
    Create(CreateArgs),
    /// Lists all keys, without their secrets, and when each was used last
    List(ListArgs),
    /// Ends a key at once
    Revoke(RevokeArgs),
}

/// Flags of `waybill keys create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// The organisation whose rows and exports the key gives
    #[arg(long, value_name = "ORG", value_parser = organisation)]
    org: OrgId,
    /// viewer: the exports that this key made; admin: every export of the organisation
    #[arg(long, value_parser = role())]
    role: Role,
    /// The datasets that it may use, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = dataset)]
    datasets: Option<Vec<String>>,
    /// How long it works, such as 90d, 12h or 4w [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<TimeDelta>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Flags of `waybill keys list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Flags of `waybill keys revoke`.
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "ID")]
    id: KeyId,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl KeysCommand {
    fn config(&self) -> Option<&PathBuf> {
        match self {
            Self::Create(args) => args.config.as_ref(),
            Self::List(args) => args.config.as_ref(),
            Self::Revoke(args) => args.config.as_ref(),
        }
    }
}

pub(crate) fn run(command: KeysCommand) -> Result<(), StartFault> {
    let config = Settings::of_file(command.config()).load()?;
    runtime::run(&config.log, perform(command, &config))
}

async fn perform(command: KeysCommand, config: &Config) -> Result<(), StartFault> {
    let database = database::of_keys(config).await?;
    let keys = database.keys.as_ref();
    match command {
        KeysCommand::Create(args) => create(keys, args).await,
        KeysCommand::List(_) => list(keys).await,
        KeysCommand::Revoke(args) => revoke(keys, &args.id).await,
    }
}

async fn create(keys: &dyn Keys, args: CreateArgs) -> Result<(), StartFault> {
    let expires_at = match args.expires {
        Some(lifetime) => Some(end_of(lifetime)?),
        None => None,
    };
    let new = NewKey {
        org: args.org,
        role: args.role,
        datasets: args.datasets.map(BTreeSet::from_iter),
        expires_at,
    };
    let (key, secret) = keys.create(new).await.map_err(fault)?;
    output::result(secret.expose())?;
    output::remark(format_args!(
        "{}: {} of {}, datasets: {}, expires: {}. The secret on standard output is shown this once.",
        key.id,
        key.role.name(),
        key.org,
        datasets(&key),
        instant(key.expires_at).unwrap_or("never".to_owned()),
    ));
    Ok(())
}

async fn list(keys: &dyn Keys) -> Result<(), StartFault> {
    for line in table(&keys.list().await.map_err(fault)?) {
        output::result(line)?;
    }
    Ok(())
}

async fn revoke(keys: &dyn Keys, id: &KeyId) -> Result<(), StartFault> {
    if !keys.revoke(id).await.map_err(fault)? {
        return Err(anyhow::anyhow!("there is no key {id}").into());
    }
    output::remark(format_args!(
        "{id} is revoked; services forget it within 5 seconds"
    ));
    Ok(())
}

fn fault(error: KeysError) -> StartFault {
    match error {
        KeysError::SchemaOutdated => startup::outdated(),
        error => anyhow::Error::new(error).into(),
    }
}

fn end_of(lifetime: TimeDelta) -> anyhow::Result<DateTime<Utc>> {
    let end = Utc::now().checked_add_signed(lifetime);
    end.context("--expires is beyond the end of the calendar")
}

/// The keys as a table, a line each below one of titles.
fn table(keys: &[ApiKey]) -> Vec<String> {
    let titles = [
        "ID",
        "ORG",
        "ROLE",
        "DATASETS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "REVOKED",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    let none = || "-".to_owned();
    rows.extend(keys.iter().map(|key| {
        [
            key.id.to_string(),
            key.org.to_string(),
            key.role.name().to_owned(),
            datasets(key),
            instant(Some(key.created_at)).unwrap_or_else(none),
            instant(key.expires_at).unwrap_or_else(none),
            instant(key.last_used_at).unwrap_or_else(none),
            instant(key.revoked_at).unwrap_or_else(none),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3, 4, 5, 6, 7].map(|column| width(column).unwrap_or_default());
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn datasets(key: &ApiKey) -> String {
    key.datasets.as_ref().map_or("all".to_owned(), |names| {
        names.iter().cloned().collect::<Vec<_>>().join(",")
    })
}

fn instant(instant: Option<DateTime<Utc>>) -> Option<String> {
    Some(instant?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn organisation(text: &str) -> Result<OrgId, &'static str> {
    name(text).map(OrgId::new)
}

fn dataset(text: &str) -> Result<String, &'static str> {
    name(text)
}

fn name(text: &str) -> Result<String, &'static str> {
    let plain = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned()).ok_or("expected a name")
}

fn role() -> impl clap::builder::TypedValueParser<Value = Role> {
    PossibleValuesParser::new([Role::Viewer.name(), Role::Admin.name()])
        .try_map(|name| Role::from_name(&name).ok_or("expected a role"))
}

/// A number and a unit: `90d`, `12h`, `4w`.
fn lifetime(text: &str) -> Result<TimeDelta, &'static str> {
    let expected = "expected a number with h, d or w, such as 90d";
    let split = text.len() - text.chars().last().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let digits = number.bytes().all(|digit| digit.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| digits).ok_or(expected)?;
    let lifetime = match unit {
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        "w" => TimeDelta::try_weeks(number),
        _ => None,
    };
    lifetime
        .filter(|lifetime| !lifetime.is_zero())
        .ok_or(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, hours) in [("1h", 1), ("90d", 90 * 24), ("4w", 4 * 7 * 24)] {
            assert_eq!(lifetime(text), Ok(TimeDelta::hours(hours)), "{text}");
        }
        for text in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "90 d",
            "90m",
            "99999999999999w",
            "9é",
        ] {
            assert!(lifetime(text).is_err(), "{text}");
        }
        assert!(end_of(TimeDelta::days(100_000_000)).is_err());
    }

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
        let lines = table(&[key("übersetzung", None), key("a", Some("sessions"))]);
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
        assert_eq!(place(&lines[0], "ROLE"), place(&lines[1], "viewer"));
        assert_eq!(place(&lines[0], "ROLE"), place(&lines[2], "viewer"));
        assert!(lines[1].ends_with('-'));
    }
}
