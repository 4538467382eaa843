//! The `waybill` executable: the composition root. It knows every part, and no part knows it.

mod commands;
mod data_dir;
mod database;
mod dependencies;
mod embedded_store;
mod error;
mod listen;
mod open_files;
mod output;
mod ready;
mod report_sources;
mod runtime;
mod services;
mod settings;
mod shutdown;
mod startup;
mod transport;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::{Command, UpArgs};
use crate::error::StartError;

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
    up: UpArgs,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return StartError::usage(in_one_line(&error.to_string())).report(),
    };
    let outcome = cli.command.unwrap_or(Command::Up(cli.up)).run();
    waybill_telemetry::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fault.report(),
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
