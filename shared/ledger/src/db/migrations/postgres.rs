//! The migrations of a PostgreSQL database.

use sqlx::migrate::Migrate as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::set::Migrations;
use crate::db::error::DatabaseError;
use crate::db::postgres::shares_sessions;
use crate::queue;

const OUR_SCHEMA: &str = "waybill";
/// Keeps processes that migrate at once apart; sqlx's own lock is taken within, for each set.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_lock(hashtextextended('waybill migrations', 0))";

fn our_migrations() -> Migrations {
    let migrator = sqlx::migrate!("../../migrations/postgres");
    Migrations::new("waybill", "waybill.migrations", migrator)
}

fn queue_migrations() -> Migrations {
    let migrator = queue::postgres::migrations();
    Migrations::new("apalis", "apalis._sqlx_migrations", migrator)
}

/// The newest migrations that this program knows: ours and the queue's.
pub(crate) fn known_versions() -> (Option<i64>, Option<i64>) {
    (our_migrations().newest(), queue_migrations().newest())
}

/// Applies what is missing.
pub(crate) async fn migrate(options: PgConnectOptions) -> Result<Vec<String>, DatabaseError> {
    // Its lock and its statements belong to a session.
    let shares = shares_sessions(&options).await;
    if shares.map_err(DatabaseError::Unavailable)? {
        return Err(DatabaseError::SharedSessions);
    }
    let mut connection = options
        .connect()
        .await
        .map_err(DatabaseError::Unavailable)?;
    let names = apply(&mut connection).await;
    // The locks go with the connection, also after a fault.
    drop(connection.close().await);
    names
}

async fn apply(connection: &mut PgConnection) -> Result<Vec<String>, DatabaseError> {
    sqlx::query(MIGRATION_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(DatabaseError::Unavailable)?;
    let mut names = Vec::new();
    // The queue's first: where ours are, everything is.
    for (schema, migrations) in [
        (queue::postgres::SCHEMA, queue_migrations()),
        (OUR_SCHEMA, our_migrations()),
    ] {
        connection.create_schema_if_not_exists(schema).await?;
        names.extend(migrations.missing(connection).await?);
        migrations.migrator.run(&mut *connection).await?;
    }
    Ok(names)
}
