//! The catalog: that it fits its sources.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use waybill_report::catalog::Catalog;
use waybill_report::check::Findings;
use waybill_report::source::Sources;
use waybill_telemetry::chain;

use super::check::Check;
use super::waiting::Waiting;
use crate::dependencies::Dependencies;
use crate::error::StartError;

/// Between two checks of datasets of which a table is locked.
const LOCKED_PAUSE: Duration = Duration::from_secs(5);
/// A check takes as long as the sources keep answering; after this long it is said that it goes on.
const LONG: Duration = Duration::from_secs(5);

/// Waits until the catalog was held against its sources. A dataset of which a table is locked holds up
/// nothing: it is checked once the lock is gone.
pub(crate) async fn wait_for_catalog(dependencies: &Dependencies) -> Result<(), StartError> {
    if dependencies.readiness.is_catalog_checked() {
        return Ok(());
    }
    let mut waiting = Waiting::default();
    while let Check::Away(cause) = patiently(check(dependencies)).await? {
        waiting.pause("a source", cause).await;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "it checks until nothing is locked any more, or the process ends"
)]
pub(super) async fn check(dependencies: &Dependencies) -> Result<Check, StartError> {
    let reports = &dependencies.reports;
    let (catalog, sources) = (&reports.catalog, &reports.sources);
    let findings = match catalog.check(sources).await {
        Ok(findings) => findings,
        Err(error) => return Ok(Check::Away(chain(&error))),
    };
    let file = reports.file_name();
    warn(&findings, &file);
    if let Some(faults) = findings.faults {
        return Err(StartError::usage(faults.lines(&file).join("\n")));
    }
    if !findings.locked.is_empty() {
        let (catalog, sources) = (Arc::clone(catalog), sources.clone());
        tokio::spawn(check_until_unlocked(catalog, sources, file, findings));
    }
    dependencies.readiness.mark_catalog_checked();
    Ok(Check::Passed)
}

fn warn(findings: &Findings, file: &Path) {
    for warning in &findings.warnings {
        tracing::warn!("{}", warning.in_file(file));
    }
    for locked in &findings.locked {
        tracing::warn!(
            "{}; it is held against its source once the lock is gone",
            locked.in_file(file)
        );
    }
}

/// Holds the datasets that were locked against their sources as soon as that can be. The process works by
/// now, so a fault does not end it: reports of that dataset fail, and the log says why.
async fn check_until_unlocked(
    catalog: Arc<Catalog>,
    sources: Sources,
    file: PathBuf,
    mut known: Findings,
) {
    while !known.locked.is_empty() {
        tokio::time::sleep(LOCKED_PAUSE).await;
        let findings = match catalog.check_locked(&sources, &known).await {
            Ok(findings) => findings,
            Err(error) => {
                tracing::debug!(
                    error = chain(&error),
                    "a locked dataset cannot be looked at"
                );
                continue;
            }
        };
        for fault in findings
            .faults
            .iter()
            .flat_map(|faults| faults.lines(&file))
        {
            tracing::error!("{fault}");
        }
        for warning in &findings.warnings {
            tracing::warn!("{}", warning.in_file(&file));
        }
        known = findings;
    }
    tracing::info!("every dataset was held against its source");
}

/// Says when a check takes long, and lets it take that long.
async fn patiently<T>(check: impl Future<Output = T>) -> T {
    let mut check = pin!(check);
    match tokio::time::timeout(LONG, &mut check).await {
        Ok(checked) => checked,
        Err(_) => {
            tracing::warn!("still holding the catalog against its sources");
            check.await
        }
    }
}
