//! The migrations of a SQLite file.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::set::Migrations;
use crate::db::error::DatabaseError;
use crate::db::sqlite::options;
use crate::queue;

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
pub(crate) async fn migrate(file: &Path) -> Result<Vec<String>, DatabaseError> {
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
