//! The demo: a catalog and a table of agent sessions that everyone gets alike, as a SQLite file or in a
//! PostgreSQL database.
//!
//! Owns what is in it. Every row follows from its organisation and number alone, so that a count of rows
//! names one data set, today and on every machine. Reading it is for any source to do.

mod postgres;
mod sessions;
pub(crate) mod sqlite;

use std::path::PathBuf;

use clap::Args;
use waybill_config::Config;

use crate::fault::StartFault;
use crate::settings::Settings;
use crate::{output, process};

/// The catalog of the demo, as an operator would write it.
pub(crate) const CATALOG: &str = include_str!("demo/catalog.toml");

/// Goes up with every change of what is generated, so that older files are made anew.
const VERSION: i64 = 1;

/// The organisations and how many rows each has when `org_demo` has `rows`.
fn organisations(rows: u64) -> [(&'static str, u64); 3] {
    let part = |of: u64| if rows == 0 { 0 } else { (rows / of).max(1) };
    [
        ("org_demo", rows),
        ("org_acme", part(8)),
        ("org_globex", part(16)),
    ]
}

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
pub(crate) fn run(args: &DemoArgs) -> Result<(), StartFault> {
    let config = Settings::of_file(args.config.as_ref()).load()?;
    process::run(&config.log, perform(args, &config))
}

async fn perform(args: &DemoArgs, config: &Config) -> Result<(), StartFault> {
    let source = args.source.as_deref();
    if let Some(source) = source {
        let url = config.source_url(source).map_err(StartFault::usage)?;
        if url.is_sqlite() {
            return Err(StartFault::usage(format_args!(
                "sources.{source}.url: the demo is written into PostgreSQL; `waybill up` brings one in SQLite"
            )));
        }
        postgres::write(url, args.rows).await?;
        tracing::info!(source, rows = args.rows, "wrote the demo");
    }
    if args.print_catalog {
        output::file(&catalog(source.unwrap_or("default")))?;
    }
    Ok(())
}

/// The demo's catalog, read from this source.
fn catalog(source: &str) -> String {
    if source == "default" {
        return CATALOG.to_owned();
    }
    CATALOG.replace(
        "table = \"sessions\"",
        &format!("source = \"{source}\"\ntable = \"sessions\""),
    )
}

#[cfg(test)]
mod tests;
