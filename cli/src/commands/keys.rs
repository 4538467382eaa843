//! `waybill keys`: makes, lists and ends API keys.

mod create;
mod error;
mod list;
mod revoke;
mod words;

use clap::Subcommand;
use waybill_config::Config;

use self::create::CreateArgs;
use self::list::ListArgs;
use self::revoke::RevokeArgs;
use crate::error::StartError;
use crate::settings::Settings;
use crate::{database, runtime};

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

pub(crate) fn run(command: KeysCommand) -> Result<(), StartError> {
    let file = match &command {
        KeysCommand::Create(args) => args.config.as_ref(),
        KeysCommand::List(args) => args.config.as_ref(),
        KeysCommand::Revoke(args) => args.config.as_ref(),
    };
    let config = Settings::of_file(file).load()?;
    runtime::run(&config.log, perform(command, &config))
}

async fn perform(command: KeysCommand, config: &Config) -> Result<(), StartError> {
    let database = database::of_keys(config).await?;
    let keys = database.keys.as_ref();
    match command {
        KeysCommand::Create(args) => create::run(keys, args).await,
        KeysCommand::List(_) => list::run(keys).await,
        KeysCommand::Revoke(args) => revoke::run(keys, &args.id).await,
    }
}
