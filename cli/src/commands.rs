//! The subcommands, a file each: flags, and what is put together to do what they ask for.

mod api;
mod catalog;
mod demo;
mod health;
mod keys;
mod migrate;
mod up;
mod worker;

use clap::Subcommand;

use self::api::ApiArgs;
use self::catalog::CatalogCommand;
use self::demo::DemoArgs;
use self::health::HealthArgs;
use self::keys::KeysCommand;
use self::migrate::MigrateArgs;
use self::worker::WorkerArgs;
use crate::error::StartError;

pub(crate) use self::up::UpArgs;

/// What `waybill` can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: API, worker, SQLite, S3 on a folder, demo data (the default)
    Up(UpArgs),
    /// The HTTP service, over a PostgreSQL database and an S3 store that others share
    Api(ApiArgs),
    /// A worker that makes exports; any number of them share the work
    Worker(WorkerArgs),
    /// Brings the database's schema to what this program knows
    Migrate(MigrateArgs),
    /// What may be reported on
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Writes the demo's table into a PostgreSQL source
    Demo(DemoArgs),
    /// Asks a process whether it is ready, for health checks of containers: exit code 0 or 1
    Health(HealthArgs),
}

impl Command {
    /// Does it, to its end.
    pub(crate) fn run(self) -> Result<(), StartError> {
        match self {
            Self::Up(args) => up::run(&args),
            Self::Api(args) => api::run(&args),
            Self::Worker(args) => worker::run(&args),
            Self::Migrate(args) => migrate::run(&args),
            Self::Catalog(command) => catalog::run(&command),
            Self::Keys(command) => keys::run(command),
            Self::Demo(args) => demo::run(&args),
            Self::Health(args) => health::run(&args),
        }
    }
}
