//! The `waybill` executable: the composition root. It knows every part, and no part knows it.

mod data_dir;
mod demo;
mod fault;
mod ready;
mod stop;
mod store;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let args = match cli.command {
        Some(Command::Up(args)) => args,
        None => cli.up,
    };
    match up::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.report(),
    }
}
