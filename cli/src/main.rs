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
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return StartFault::usage(first_line(&error.to_string())).report(),
    };
    let args = match cli.command {
        Some(Command::Up(args)) => args,
        None => cli.up,
    };
    match up::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.report(),
    }
}

/// What is wrong; the usage that clap would print below it is a `--help` away.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
