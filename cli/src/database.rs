//! Which database a command may use as what.
//!
//! A SQLite file belongs to the one process of `waybill up`, which has it to itself: no other role may
//! run on it. Its keys may be made from beside, since SQLite keeps writers of one file apart.

use waybill_config::{Config, DatabaseUrl};
use waybill_ledger::database::Database;

use crate::error::StartError;

/// The database that several processes share.
pub(crate) async fn shared(config: &Config) -> Result<Database, StartError> {
    connect(server(config)?).await
}

/// `database.url`, which must be a server.
pub(crate) fn server(config: &Config) -> Result<&DatabaseUrl, StartError> {
    let url = config.database_url().map_err(StartError::usage)?;
    if url.is_sqlite() {
        return Err(StartError::usage(
            "database.url: a SQLite file is for the one process of `waybill up`, which also migrates it; use that, or postgres://…",
        ));
    }
    Ok(url)
}

/// The database of keys: a server, or the file of `waybill up` once that has made it.
pub(crate) async fn of_keys(config: &Config) -> Result<Database, StartError> {
    let url = config.database_url().map_err(StartError::usage)?;
    if let Some(file) = url.sqlite_path().filter(|file| !file.is_file()) {
        return Err(StartError::usage(format_args!(
            "database.url: there is no file {}",
            file.display()
        )));
    }
    connect(url).await
}

async fn connect(url: &DatabaseUrl) -> Result<Database, StartError> {
    Database::connect(url)
        .await
        .map_err(|error| StartError::usage(format_args!("database.url: {error}")))
}
