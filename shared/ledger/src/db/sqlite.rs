//! Connections to one SQLite file.

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// How long a statement waits for another process that looks into the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections for reads.
const READERS: u32 = 4;

/// All writes go through one connection, so none ever finds the file locked; reads have connections
/// of their own.
#[derive(Clone, Debug)]
pub(crate) struct SqlitePools {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl SqlitePools {
    /// Opens the file when it is first used.
    pub(crate) fn of(file: &Path) -> Self {
        let options = options(file);
        Self {
            writer: SqlitePoolOptions::new()
                .max_connections(1)
                .connect_lazy_with(options.clone()),
            readers: SqlitePoolOptions::new()
                .max_connections(READERS)
                .connect_lazy_with(options.read_only(true)),
        }
    }
}

pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // An accepted export outlives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}
