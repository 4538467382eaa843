//! What must be true before a process is ready, and waiting for it.
//!
//! What is wrong ends the process; what is away is waited for, however long: it is no mistake of the
//! operator's, and the process goes on by itself when it is back.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use waybill_config::AuthMode;
use waybill_ledger::LedgerError;
use waybill_ledger::database::{Database, DatabaseError};
use waybill_report::catalog::{Catalog, Findings};
use waybill_report::source::Sources;
use waybill_telemetry::chain;

use crate::dependencies::Parts;
use crate::error::StartFault;
use crate::open_files::Shortage;
use crate::report_sources::Reports;
use crate::transport;

/// Between two looks at something that is away.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two looks at datasets of which a table is locked.
const LOCKED_PAUSE: Duration = Duration::from_secs(5);
/// How long a look at the database may take, which is one statement. A look at the sources takes as long
/// as they keep answering; after this long it is said that it goes on.
const LOOK: Duration = Duration::from_secs(5);
/// How long the first look may hold up the start.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// What a look came to, if it is no fault.
enum Look {
    Well,
    Away(String),
}

/// Looks at everything once, before anything is served: what is wrong ends the process here.
pub(crate) async fn look(parts: &Parts) -> Result<(), StartFault> {
    let database = &parts.database;
    let looks = async { tokio::try_join!(look_at_schema(database), look_at_catalog(parts)) };
    match tokio::time::timeout(FIRST_LOOK, looks).await {
        Ok(Err(fault)) => Err(fault),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// Tells what an operator should know of a process that starts.
pub(crate) fn tell(parts: &Parts, shortage: Option<Shortage>) {
    if let Some(shortage) = shortage {
        shortage.tell();
    }
    transport::warn_of_plain(&parts.config);
    transport::warn_of_ignored(&parts.config);
}

/// Warns when keys are asked for and nobody has one. `database` is what `waybill keys` needs besides its
/// flags, if anything.
pub(crate) async fn look_for_keys(parts: &Parts, database: &str) {
    if parts.config.auth.mode != AuthMode::Keys {
        return;
    }
    let keys = parts.database.keys.list().await;
    if keys.is_ok_and(|keys| keys.is_empty()) {
        tracing::warn!(
            "there is no API key yet, so every request is refused; make one: \
             {database}waybill keys create --org ORG --role admin"
        );
    }
}

/// Waits until the database has the schema of this program.
pub(crate) async fn schema(parts: &Parts) -> Result<(), StartFault> {
    let database = &parts.database;
    let mut waiting = Waiting::default();
    while let Look::Away(cause) = within(look_at_schema(database)).await? {
        waiting.pause("the database", cause).await;
    }
    Ok(())
}

/// Waits until the catalog was held against its sources. A dataset of which a table is locked holds up
/// nothing: it is looked at once the lock is gone.
pub(crate) async fn catalog(parts: &Parts) -> Result<(), StartFault> {
    if parts.readiness.knows_the_catalog() {
        return Ok(());
    }
    let mut waiting = Waiting::default();
    while let Look::Away(cause) = patiently(look_at_catalog(parts)).await? {
        waiting.pause("a source", cause).await;
    }
    Ok(())
}

/// Waits for both.
pub(crate) async fn checks(parts: &Parts) -> Result<(), StartFault> {
    tokio::try_join!(schema(parts), catalog(parts))?;
    Ok(())
}

/// The database's schema is older than this program.
pub(crate) fn outdated() -> StartFault {
    StartFault::usage(
        "database.url: the schema of this database is older than this program; run `waybill migrate`",
    )
}

async fn look_at_schema(database: &Database) -> Result<Look, StartFault> {
    match database.check_sessions().await {
        Ok(()) => {}
        Err(error @ DatabaseError::SharedSessions) => {
            return Err(StartFault::usage(format_args!("database.url: {error}")));
        }
        Err(error) => return Ok(Look::Away(chain(&error))),
    }
    match database.ledger.check().await {
        Ok(()) => Ok(Look::Well),
        Err(LedgerError::SchemaOutdated) => Err(outdated()),
        Err(error) => Ok(Look::Away(chain(&error))),
    }
}

async fn look_at_catalog(parts: &Parts) -> Result<Look, StartFault> {
    let Reports {
        catalog, sources, ..
    } = &parts.reports;
    let findings = match catalog.check(sources).await {
        Ok(findings) => findings,
        Err(error) => return Ok(Look::Away(chain(&error))),
    };
    let file = parts.reports.file_name();
    warn(&findings, &file);
    if let Some(faults) = findings.faults {
        return Err(StartFault::usage(faults.lines(&file).join("\n")));
    }
    if !findings.locked.is_empty() {
        let (catalog, sources) = (Arc::clone(catalog), sources.clone());
        tokio::spawn(look_until_unlocked(catalog, sources, file, findings));
    }
    parts.readiness.catalog_is_checked();
    Ok(Look::Well)
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
async fn look_until_unlocked(
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

/// Says when a look takes long, and lets it take that long.
async fn patiently<T>(look: impl Future<Output = T>) -> T {
    let mut look = pin!(look);
    match tokio::time::timeout(LOOK, &mut look).await {
        Ok(looked) => looked,
        Err(_) => {
            tracing::warn!("still holding the catalog against its sources");
            look.await
        }
    }
}

async fn within(look: impl Future<Output = Result<Look, StartFault>>) -> Result<Look, StartFault> {
    let looked = tokio::time::timeout(LOOK, look).await;
    looked.unwrap_or_else(|_| Ok(Look::Away("no answer".to_owned())))
}

/// Says what is waited for, once for each cause.
#[derive(Default)]
pub(crate) struct Waiting {
    cause: String,
}

impl Waiting {
    pub(crate) async fn pause(&mut self, what: &str, cause: impl Display) {
        let cause = cause.to_string();
        if self.cause != cause {
            tracing::warn!(cause, "waiting for {what}");
            self.cause = cause;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
