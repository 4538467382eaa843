//! One SQLite file: its connections and its migrations.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::DatabaseError;
use super::migrations::Migrations;
use crate::queue;

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
    pub(super) fn of(file: &Path) -> Self {
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

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // An accepted export outlives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}

fn our_migrations() -> Migrations {
    let migrator = sqlx::migrate!("../../migrations/sqlite");
    Migrations::new("waybill", "waybill_migrations", migrator)
}

fn queue_migrations() -> Migrations {
    Migrations::new("apalis", "_sqlx_migrations", queue::sqlite::migrations())
}

/// The newest of our migrations that this program knows.
pub(crate) fn known_version() -> Option<i64> {
    our_migrations().newest()
}

/// Applies what is missing, all of it or nothing: one transaction, which also keeps other
/// processes out.
pub(super) async fn migrate(file: &Path) -> Result<Vec<String>, DatabaseError> {
    let options = options(file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(DatabaseError::Unavailable)?;
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(DatabaseError::Unavailable)?;
    let mut names = Vec::new();
    // The queue's first: where ours are, everything is.
    for migrations in [queue_migrations(), our_migrations()] {
        names.extend(migrations.missing(&mut *transaction).await?);
        migrations.migrator.run(&mut *transaction).await?;
    }
    transaction
        .commit()
        .await
        .map_err(DatabaseError::Unavailable)?;
    Ok(names)
}
