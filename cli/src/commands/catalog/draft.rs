//! `waybill catalog draft`: a first catalog from what a database has.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use waybill_config::Config;
use waybill_report::draft;
use waybill_report::source::tables::Table;

use crate::error::StartError;
use crate::output;
use crate::report_sources;
use crate::runtime;
use crate::settings::Settings;

/// Flags of `waybill catalog draft`.
#[derive(Args, Debug)]
pub(crate) struct DraftArgs {
    /// The source to draft it from, sources.NAME.url
    #[arg(long, value_name = "NAME", default_value = "default")]
    source: String,
    /// One table or view alone, with its schema where that is needed
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &DraftArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref()).load()?;
    runtime::run(&config.log, draft(args, &config))
}

async fn draft(args: &DraftArgs, config: &Config) -> Result<(), StartError> {
    let source = report_sources::source(&args.source, config, 1)?;
    let tables = source.tables().await;
    let mut tables = tables.context("the source cannot be asked")?;
    if let Some(name) = &args.table {
        tables = only(tables, name, &args.source)?;
    }
    let draft = draft::draft(&args.source, &tables);
    output::file(&draft.text)?;
    summarise(draft.datasets, &draft.undecided);
    Ok(())
}

fn only(tables: Vec<Table>, name: &str, source: &str) -> Result<Vec<Table>, StartError> {
    let titles: Vec<String> = tables.iter().map(Table::title).collect();
    let found: Vec<Table> = tables
        .into_iter()
        .filter(|table| table.is_called(name))
        .collect();
    if found.is_empty() {
        return Err(StartError::usage(format_args!(
            "--table: the source {source} has no table or view {name:?} that it may read; it has {}",
            if titles.is_empty() {
                "none".to_owned()
            } else {
                titles.join(", ")
            }
        )));
    }
    Ok(found)
}

/// For the person who asked, whose catalog is on standard output.
fn summarise(datasets: usize, undecided: &[String]) {
    output::remark(format_args!("drafted {datasets} datasets"));
    if !undecided.is_empty() {
        output::remark(format_args!(
            "left out until you decide, each with the question in its comments: {}",
            undecided.join(", ")
        ));
    }
}
