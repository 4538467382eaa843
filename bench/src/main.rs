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
mod fixture;
mod flood;
mod inline;
mod load;
mod machine;
mod memory;
mod noise;
mod options;
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

use std::process::ExitCode;

use clap::Parser;
use waybill_test_services::postgres::Setup;

use crate::fixture::Fixture;
use crate::options::Options;
use crate::parts::Parts;
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

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.server {
        Some(server) => server.run(),
        None => run(&cli.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::line(format_args!("waybill-bench: {error:#}"));
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
        let fixture = Fixture::prepare(&cluster, options, parts).await?;
        let mut report = Report::new(machine::describe(&cluster, &fixture), options);

        report.add(endpoint::measure(&fixture).await?);
        report.add(exports::measure(&fixture).await?);
        report.add(memory::measure(&fixture).await?);
        report.add(cells::measure(&fixture).await?);
        report.add(inline::measure(&fixture).await?);
        report.add(enqueue::measure(&fixture).await?);
        report.add(pickup::measure(&fixture).await?);
        report.add(overload::measure(&fixture).await?);
        report.add(flood::measure(&fixture).await?);
        report.add(waiting::measure(&fixture).await?);
        report.add(admission::measure(&fixture).await?);
        report.add(fairness::measure(&fixture).await?);
        report.add(noise::measure(&fixture).await?);

        report.print()?;
        match &options.json {
            Some(path) => report.write_json(path),
            None => Ok(()),
        }
    })
}
