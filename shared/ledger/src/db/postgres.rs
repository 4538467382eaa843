//! Connections to a PostgreSQL server.
//!
//! The database may be somebody's own: our tables are in a schema of their own, `waybill`, the
//! queue's in `apalis`, and every statement names them in full, whatever the search path is.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _};
use waybill_config::DatabaseUrl;
use waybill_postgres::connect_options;

use super::error::DatabaseError;

/// Connections of one process, besides the one that listens.
const CONNECTIONS: u32 = 16;
/// How long a call waits for a connection, also while the server is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that lay idle for longer is tried before it is used. One that was used just now
/// need not be: that would cost every statement another round trip.
const TRIED_AFTER: Duration = Duration::from_secs(1);
/// What ends a statement that hangs, on the server. All of ours take milliseconds.
const SET_TIMEOUT: &str = "SET statement_timeout = '10s'";
/// How often it is looked whether sessions are shared.
const TRIES: usize = 5;
/// Leaves no transaction open, and warns of none. A transaction whose beginning was given up, by a
/// client that went away or a stop, may be open on the server without sqlx's knowledge; what the next
/// user of the connection writes would then be undone at its end.
const END_TRANSACTION: &str = "BEGIN; ROLLBACK";

pub(crate) fn options(url: &DatabaseUrl) -> Result<PgConnectOptions, DatabaseError> {
    Ok(connect_options(url)?.application_name("waybill"))
}

/// Connects when it is first used.
pub(crate) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, lain| {
            Box::pin(async move {
                if lain.idle_for < TRIED_AFTER {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(END_TRANSACTION).execute(connection).await?;
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SET_TIMEOUT).execute(connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options)
}

/// Whether two sessions use one connection of the server by turns, as behind a pooler in transaction
/// mode. What one has used last is what the other is given first; somebody else may come in between, so
/// it is tried more than once. Sessions of their own never share a process.
pub(crate) async fn shares_sessions(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let (mut one, mut other) = (options.connect().await?, options.connect().await?);
    let mut shares = false;
    for _ in 0..TRIES {
        let used = process(&mut one).await?;
        // What `one` has is free only where sessions are shared: `other` is given it now.
        shares |= process(&mut other).await? == used;
    }
    drop(one.close().await);
    drop(other.close().await);
    Ok(shares)
}

async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()");
    row.fetch_one(connection).await?.try_get(0)
}

/// The one connection that hears notifications. It is kept for ever and knows no idleness.
pub(crate) fn listening_pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options)
}
