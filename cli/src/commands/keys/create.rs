//! `waybill keys create`: makes a key.
//!
//! Its secret is printed once, alone on standard output, so that it can be piped to where it is kept;
//! everything else goes to standard error.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use waybill_ledger::keys::{KeyStore, NewKey};
use waybill_report::caller::{OrgId, Role};

use super::words::{datasets, instant_or};
use crate::error::StartError;
use crate::output;

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
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = name)]
    datasets: Option<Vec<String>>,
    /// How long it works, such as 90d, 12h or 4w [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<TimeDelta>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

pub(super) async fn run(keys: &dyn KeyStore, args: CreateArgs) -> Result<(), StartError> {
    let new = NewKey {
        org: args.org,
        role: args.role,
        datasets: args.datasets.map(BTreeSet::from_iter),
        expires_at: args.expires.map(end_of).transpose()?,
    };
    let (key, secret) = keys.create(new).await?;
    output::result(secret.expose())?;
    output::remark(format_args!(
        "{}: {} of {}, datasets: {}, expires: {}. The secret on standard output is shown this once.",
        key.id,
        key.role.name(),
        key.org,
        datasets(&key),
        instant_or(key.expires_at, "never"),
    ));
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lifetime in hours, days or weeks, from now"
)]
fn end_of(lifetime: TimeDelta) -> anyhow::Result<DateTime<Utc>> {
    let end = Utc::now().checked_add_signed(lifetime);
    end.context("--expires is beyond the end of the calendar")
}

fn organisation(text: &str) -> Result<OrgId, &'static str> {
    name(text).map(OrgId::new)
}

fn name(text: &str) -> Result<String, &'static str> {
    let plain = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned()).ok_or("expected a name")
}

fn role() -> impl TypedValueParser<Value = Role> {
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
}
