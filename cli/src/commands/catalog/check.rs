//! `waybill catalog check`: whether a catalog fits its sources, before a process depends on it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use waybill_config::Config;
use waybill_report::catalog::{Catalog, CatalogError};

use crate::error::StartError;
use crate::report_sources::ReportSources;
use crate::settings::Settings;
use crate::{output, runtime};

/// Flags of `waybill catalog check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The catalog; its sources are set as sources.NAME.url
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also count the rows that have no time and so are in no report; reads every table
    #[arg(long)]
    count_null_times: bool,
}

pub(super) fn run(args: &CheckArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref())
        .flag("--catalog", "catalog", args.catalog.as_ref())
        .load()?;
    runtime::run(&config.log, check(&config, args.count_null_times))
}

async fn check(config: &Config, count_null_times: bool) -> Result<(), StartError> {
    let file = config.catalog_path().map_err(StartError::usage)?;
    let catalog = Catalog::read(file).map_err(|error| match error {
        CatalogError::Unreadable { .. } => StartError::usage(error),
        CatalogError::Faulty { .. } => StartError::Found(error.to_string()),
    })?;
    let reports = ReportSources::with_catalog(catalog, file, config, 1)?;
    let findings = reports.catalog.check(&reports.sources).await;
    let findings = findings.context("a source cannot be asked")?;
    for warning in &findings.warnings {
        output::remark(format_args!("warning: {}", warning.in_file(file)));
    }
    for (name, source) in reports.sources.by_name() {
        let advice = source.advice(config.exports.timeout()).await;
        for advice in advice.with_context(|| format!("sources.{name} cannot be asked"))? {
            output::remark(format_args!("warning: sources.{name}: {advice}"));
        }
    }
    let mut found: Vec<String> = Vec::new();
    found.extend(findings.faults.iter().flat_map(|faults| faults.lines(file)));
    found.extend(
        findings
            .locked
            .iter()
            .map(|locked| unchecked(&locked.in_file(file))),
    );
    if !found.is_empty() {
        return Err(StartError::Found(found.join("\n")));
    }
    if count_null_times {
        let found = reports.catalog.without_time(&reports.sources).await;
        for rows in found.context("rows without a time cannot be counted")? {
            output::remark(format_args!("warning: {}", rows.in_file(file)));
        }
    }
    Ok(())
}

fn unchecked(finding: &str) -> String {
    format!("{finding}, so it could not be checked: try again once the lock is gone")
}
