//! The database: that it keeps sessions apart, and has the schema of this program.

use std::time::Duration;

use waybill_ledger::LedgerError;
use waybill_ledger::database::{Database, DatabaseError};
use waybill_telemetry::chain;

use super::check::Check;
use super::waiting::Waiting;
use crate::dependencies::Dependencies;
use crate::error::StartError;

/// How long a check may take, which is one statement.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits until the database has the schema of this program.
pub(crate) async fn wait_for_schema(dependencies: &Dependencies) -> Result<(), StartError> {
    let mut waiting = Waiting::default();
    loop {
        let checked = tokio::time::timeout(LONGEST, check(&dependencies.database)).await;
        match checked.unwrap_or_else(|_| Ok(Check::Away("no answer".to_owned())))? {
            Check::Passed => return Ok(()),
            Check::Away(cause) => waiting.pause("the database", cause).await,
        }
    }
}

/// The database's schema is older than this program.
pub(crate) fn outdated() -> StartError {
    StartError::usage(
        "database.url: the schema of this database is older than this program; run `waybill migrate`",
    )
}

pub(super) async fn check(database: &Database) -> Result<Check, StartError> {
    match database.check_sessions().await {
        Ok(()) => {}
        Err(error @ DatabaseError::SharedSessions) => {
            return Err(StartError::usage(format_args!("database.url: {error}")));
        }
        Err(error) => return Ok(Check::Away(chain(&error))),
    }
    match database.probe().check().await {
        Ok(()) => Ok(Check::Passed),
        Err(LedgerError::SchemaOutdated) => Err(outdated()),
        Err(error) => Ok(Check::Away(chain(&error))),
    }
}
