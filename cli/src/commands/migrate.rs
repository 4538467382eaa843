//! `waybill migrate`: brings a database's schema to what this program knows.

use std::path::PathBuf;

use clap::Args;
use waybill_config::DatabaseUrl;
use waybill_ledger::database::{Database, DatabaseError};

use crate::error::StartError;
use crate::settings::Settings;
use crate::{database, output, runtime};

/// Flags of `waybill migrate`.
#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: &MigrateArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref()).load()?;
    let url = database::server(&config)?;
    runtime::run(&config.log, migrate(url))
}

async fn migrate(url: &DatabaseUrl) -> Result<(), StartError> {
    let applied = match Database::migrate(url).await {
        Ok(applied) => applied,
        Err(error @ (DatabaseError::InvalidUrl(_) | DatabaseError::SharedSessions)) => {
            return Err(StartError::usage(format_args!("database.url: {error}")));
        }
        Err(error) => return Err(anyhow::Error::new(error).into()),
    };
    if applied.is_empty() {
        output::result("nothing to migrate")?;
    }
    for name in applied {
        output::result(format_args!("migrated: {name}"))?;
    }
    Ok(())
}
