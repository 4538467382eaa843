//! The benchmarks: one command starts throw-away servers, loads the rows, measures everything in turn
//! and prints a table of medians, ratios and targets.
//!
//! It drives the `waybill` executable over HTTP as a client would and links nothing of the product.

mod admission;
mod api;
mod arrivals;
mod baselines;
mod cells;
mod claims;
mod dataset;
mod deployment;
mod endpoint;
mod enqueue;
mod executable;
mod exports;
mod fairness;
mod figure;
mod flood;
mod ground;
mod inline;
mod load;
mod machine;
mod memory;
mod noise;
mod overload;
mod parts;
mod pgbench;
mod pickup;
mod process;
mod progress;
mod servers;
mod store;
mod table;
mod waiting;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use waybill_test_services::postgres::Setup;

use crate::ground::Ground;
use crate::parts::{Part, Parts};
use crate::progress::say;
use crate::servers::Server;
use crate::table::Report;

#[derive(Debug, Parser)]
#[command(name = "waybill-bench", about)]
struct Cli {
    #[command(subcommand)]
    server: Option<Server>,
    #[command(flatten)]
    options: Options,
}

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rows of the exported organisation; two others come on top with a tenth of that together
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20..))]
    rows: u64,
    /// How often each thing is measured, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Part>,
    /// Where to write every value of every round as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.server {
        Some(server) => server.run(),
        None => run(&cli.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("waybill-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::of(&options.only);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // As it comes, but for a checkpoint that would otherwise fall into the loading.
        let cluster = Setup::new()
            .durable()
            .setting("max_wal_size", "8GB")
            .start();
        let ground = Ground::prepare(&cluster, options, parts).await?;
        let mut report = Report::new(machine::describe(&cluster, &ground), options);

        report.add(endpoint::measure(&ground).await?);
        report.add(exports::measure(&ground).await?);
        report.add(memory::measure(&ground).await?);
        report.add(cells::measure(&ground).await?);
        report.add(inline::measure(&ground).await?);
        report.add(enqueue::measure(&ground).await?);
        report.add(pickup::measure(&ground).await?);
        report.add(overload::measure(&ground).await?);
        report.add(flood::measure(&ground).await?);
        report.add(waiting::measure(&ground).await?);
        report.add(admission::measure(&ground).await?);
        report.add(fairness::measure(&ground).await?);
        report.add(noise::measure(&ground).await?);

        report.print()?;
        match &options.json {
            Some(path) => report.write_json(path),
            None => Ok(()),
        }
    })
}
