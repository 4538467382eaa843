//! The database of exports, keys and wake-ups: the one place that turns `database.url` into them,
//! and that applies the migrations of all three. Knows nothing of what they do with it.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use waybill_config::DatabaseUrl;

use crate::changes::Changes;
use crate::db::migrations;
use crate::db::postgres;
use crate::db::sqlite::SqlitePools;
use crate::intake::Intake;
use crate::keys::KeyStore;
use crate::keys::postgres::PostgresKeyStore;
use crate::keys::sqlite::SqliteKeyStore;
use crate::ledger::Ledger;
use crate::outbox::Outbox;
use crate::probe::Probe;
use crate::queue::{Queue, Storage};
use crate::sql::postgres::PostgresLedger;
use crate::sql::sqlite::SqliteLedger;
use crate::upkeep::Upkeep;
use crate::work::Work;

pub use crate::db::error::DatabaseError;

/// Everything that is kept in one database; a clone is the same.
#[derive(Clone)]
pub struct Database {
    /// What decides about exports, all of it. Who is given a part has it from the methods.
    pub ledger: Arc<dyn Ledger>,
    /// Who may ask.
    pub keys: Arc<dyn KeyStore>,
    /// What wakes workers.
    pub queue: Queue,
    sessions: Option<Sessions>,
}

/// Sessions of a server, and whether they were found to be one's own.
#[derive(Clone)]
struct Sessions {
    options: PgConnectOptions,
    are_own: Arc<AtomicBool>,
}

impl Database {
    /// Returns the database of this URL. Connects when it is first used: a server that is away, or comes
    /// and goes, makes calls fail as unavailable and nothing else. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`DatabaseError::InvalidUrl`].
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, DatabaseError> {
        if let Some(file) = url.sqlite_path() {
            return Ok(Self::in_file(&file));
        }
        let options = postgres::options(url)?;
        let pool = postgres::pool(options.clone());
        let listening = postgres::listening_pool(options.clone());
        let ledger = Arc::new(PostgresLedger::new(pool.clone(), listening));
        Ok(Self {
            ledger: Arc::clone(&ledger) as _,
            keys: Arc::new(PostgresKeyStore::new(pool.clone())),
            queue: Queue::new(Storage::Postgres(pool), ledger),
            sessions: Some(Sessions {
                options,
                are_own: Arc::default(),
            }),
        })
    }

    /// Looks whether this process has sessions of its own on the server, which changes are heard by and
    /// statements are prepared in. Once it has, there is nothing to look at.
    ///
    /// # Errors
    /// [`DatabaseError::SharedSessions`] when not; [`DatabaseError::Unavailable`] when nobody can tell.
    pub async fn check_sessions(&self) -> Result<(), DatabaseError> {
        let Some(sessions) = &self.sessions else {
            return Ok(());
        };
        if sessions.are_own.load(Ordering::Acquire) {
            return Ok(());
        }
        let shares = postgres::shares_sessions(&sessions.options).await;
        if shares.map_err(DatabaseError::Unavailable)? {
            return Err(DatabaseError::SharedSessions);
        }
        sessions.are_own.store(true, Ordering::Release);
        Ok(())
    }

    /// Applies the migrations that the database of this URL has not had, and returns their names.
    /// Processes that do so at once wait for each other. A SQLite file is made if need be. Newer
    /// migrations, of a later version of this program, are left as they are.
    ///
    /// # Errors
    /// [`DatabaseError`]; what was applied before the fault stays, and the next call goes on there.
    pub async fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, DatabaseError> {
        match url.sqlite_path() {
            Some(file) => migrations::sqlite::migrate(&file).await,
            None => migrations::postgres::migrate(postgres::options(url)?).await,
        }
    }

    /// Opens the database in this SQLite file and migrates it; the file is made if need be. For the one process
    /// that embeds it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open_file(file: &Path) -> Result<Self, DatabaseError> {
        migrations::sqlite::migrate(file).await?;
        Ok(Self::in_file(file))
    }

    /// Returns what whoever serves clients may do to exports.
    #[must_use]
    pub fn intake(&self) -> Arc<dyn Intake> {
        self.ledger.clone()
    }

    /// Returns what a worker may do to exports.
    #[must_use]
    pub fn work(&self) -> Arc<dyn Work> {
        self.ledger.clone()
    }

    /// Returns what keeps exports in order while processes die.
    #[must_use]
    pub fn upkeep(&self) -> Arc<dyn Upkeep> {
        self.ledger.clone()
    }

    /// Returns what has to be told of exports.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        self.ledger.clone()
    }

    /// Returns what tells of changed exports.
    #[must_use]
    pub fn changes(&self) -> Arc<dyn Changes> {
        self.ledger.clone()
    }

    /// Returns what says whether the ledger can be used.
    #[must_use]
    pub fn probe(&self) -> Arc<dyn Probe> {
        self.ledger.clone()
    }

    fn in_file(file: &Path) -> Self {
        let pools = SqlitePools::of(file);
        let ledger = Arc::new(SqliteLedger::new(pools.clone()));
        Self {
            ledger: Arc::clone(&ledger) as _,
            keys: Arc::new(SqliteKeyStore::new(pools.clone())),
            queue: Queue::new(Storage::Sqlite(pools.writer), ledger),
            sessions: None,
        }
    }
}
