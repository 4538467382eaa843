//! What must be true before a process is ready, and waiting for it.
//!
//! What is wrong ends the process; what is away is waited for, however long: it is no mistake of the
//! operator's, and the process goes on by itself when it is back.

mod catalog;
mod check;
mod schema;
mod waiting;

use std::time::Duration;

use waybill_config::AuthMode;

use crate::dependencies::Dependencies;
use crate::error::StartError;
use crate::open_files::Shortage;
use crate::transport;

pub(crate) use self::catalog::wait_for_catalog;
pub(crate) use self::schema::{outdated, wait_for_schema};
pub(crate) use self::waiting::Waiting;

/// How long the first check may hold up the start.
const FIRST_CHECK: Duration = Duration::from_secs(1);

/// Checks everything once, before anything is served: what is wrong ends the process here.
pub(crate) async fn check_once(dependencies: &Dependencies) -> Result<(), StartError> {
    let checks = async {
        tokio::try_join!(
            schema::check(&dependencies.database),
            catalog::check(dependencies)
        )
    };
    match tokio::time::timeout(FIRST_CHECK, checks).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// Waits for the schema and the catalog.
pub(crate) async fn wait_for_checks(dependencies: &Dependencies) -> Result<(), StartError> {
    tokio::try_join!(
        wait_for_schema(dependencies),
        wait_for_catalog(dependencies)
    )?;
    Ok(())
}

/// Tells what an operator should know of a process that starts.
pub(crate) fn warn(dependencies: &Dependencies, shortage: Option<Shortage>) {
    if let Some(shortage) = shortage {
        shortage.warn();
    }
    transport::warn_of_plain(&dependencies.config);
    transport::warn_of_ignored(&dependencies.config);
}

/// Warns when keys are asked for and nobody has one. `database` is what `waybill keys` needs besides its
/// flags, if anything.
pub(crate) async fn warn_without_keys(dependencies: &Dependencies, database: &str) {
    if dependencies.config.auth.mode != AuthMode::Keys {
        return;
    }
    let keys = dependencies.database.keys.list().await;
    if keys.is_ok_and(|keys| keys.is_empty()) {
        tracing::warn!(
            "there is no API key yet, so every request is refused; make one: \
             {database}waybill keys create --org ORG --role admin"
        );
    }
}
