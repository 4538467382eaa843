//! `waybill demo`: writes the demo's table into a PostgreSQL source, and prints its catalog.

use std::path::PathBuf;

use clap::Args;
use waybill_config::Config;

use crate::error::StartError;
use crate::settings::Settings;
use crate::{output, runtime};

/// Flags of `waybill demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// The source to write into, sources.NAME.url
    #[arg(long, value_name = "NAME", required_unless_present = "print_catalog")]
    source: Option<String>,
    /// Rows of the demo's first organisation
    #[arg(long, value_name = "ROWS", default_value_t = 200_000)]
    rows: u64,
    /// Print the demo's catalog, for --catalog of the other commands
    #[arg(long)]
    print_catalog: bool,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Writes the demo into a source, or prints its catalog, or both.
pub(crate) fn run(args: &DemoArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref()).load()?;
    runtime::run(&config.log, write(args, &config))
}

async fn write(args: &DemoArgs, config: &Config) -> Result<(), StartError> {
    let source = args.source.as_deref();
    if let Some(source) = source {
        let url = config.source_url(source).map_err(StartError::usage)?;
        if url.is_sqlite() {
            return Err(StartError::usage(format_args!(
                "sources.{source}.url: the demo is written into PostgreSQL; `waybill up` brings one in SQLite"
            )));
        }
        waybill_demo::postgres::write(url, args.rows).await?;
        tracing::info!(source, rows = args.rows, "wrote the demo");
    }
    if args.print_catalog {
        output::file(&waybill_demo::catalog(source.unwrap_or("default")))?;
    }
    Ok(())
}
