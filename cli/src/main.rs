//! The `waybill` executable: the composition root. It knows every part, and no part knows it.

mod api;
mod catalog;
mod data_dir;
mod database;
mod demo;
mod fault;
mod keys;
mod listen;
mod migrate;
mod open_files;
mod output;
mod parts;
mod process;
mod ready;
mod reports;
mod roles;
mod settings;
mod start;
mod stop;
mod store;
mod transport;
mod up;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::fault::StartFault;

/// Buffers of megabytes come and go on many threads; peak memory is a promise of ours.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exports as a service: small reports at once, large ones as a job with a link.
#[derive(Parser)]
#[command(name = "waybill", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::UpArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one process: API, worker, SQLite, S3 on a folder, demo data (the default)
    Up(up::UpArgs),
    /// The HTTP service, over a PostgreSQL database and an S3 store that others share
    Api(api::ApiArgs),
    /// A worker that makes exports; any number of them share the work
    Worker(worker::WorkerArgs),
    /// Brings the database's schema to what this program knows
    Migrate(migrate::MigrateArgs),
    /// What may be reported on
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Writes the demo's table into a PostgreSQL source
    Demo(demo::DemoArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return StartFault::usage(in_one_line(&error.to_string())).report(),
    };
    let outcome = run(cli.command.unwrap_or(Command::Up(cli.up)));
    waybill_telemetry::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.report(),
    }
}

fn run(command: Command) -> Result<(), StartFault> {
    match command {
        Command::Up(args) => up::run(&args),
        Command::Api(args) => api::run(&args),
        Command::Worker(args) => worker::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Catalog(command) => catalog::run(&command),
        Command::Keys(command) => keys::run(command),
        Command::Demo(args) => demo::run(&args),
    }
}

/// What is wrong, with what is possible and what was meant; the usage is a `--help` away.
fn in_one_line(text: &str) -> String {
    let told = text
        .split("\n\n")
        .filter(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"));
    let words = told.flat_map(str::split_whitespace);
    format!(
        "{} (see waybill --help)",
        words.collect::<Vec<_>>().join(" ")
    )
}
