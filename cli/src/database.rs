//! Which database a command may use as what.
//!
//! A SQLite file belongs to the one process of `waybill up`, which has it to itself: no other role may
//! run on it. Its keys may be made from beside, since SQLite keeps writers of one file apart.

use waybill_config::{Config, DatabaseUrl};
use waybill_ledger::database::Database;

use crate::error::StartFault;

/// The database that several processes share.
pub(crate) async fn shared(config: &Config) -> Result<Database, StartFault> {
    connect(server(config)?).await
}

/// `database.url`, which must be a server.
pub(crate) fn server(config: &Config) -> Result<&DatabaseUrl, StartFault> {
    let url = config.database_url().map_err(StartFault::usage)?;
    if url.is_sqlite() {
        return Err(StartFault::usage(
            "database.url: a SQLite file is for the one process of `waybill up`, which also migrates it; use that, or postgres://…",
        ));
    }
    Ok(url)
}

/// The database of keys: a server, or the file of `waybill up` once that has made it.
pub(crate) async fn of_keys(config: &Config) -> Result<Database, StartFault> {
    let url = config.database_url().map_err(StartFault::usage)?;
    if let Some(file) = url.sqlite_path().filter(|file| !file.is_file()) {
        return Err(StartFault::usage(format_args!(
            "database.url: there is no file {}",
            file.display()
        )));
    }
    connect(url).await
}

async fn connect(url: &DatabaseUrl) -> Result<Database, StartFault> {
    Database::connect(url)
        .await
        .map_err(|error| StartFault::usage(format_args!("database.url: {error}")))
}
