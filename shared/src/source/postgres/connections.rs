//! The connections to one server: how many, which are idle, and when one must not be used again.
//!
//! It knows how a session is set up and how an exchange begins; what is asked is not its business.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::READ_ONLY;
use super::failure::{is_lost, source_error};
use crate::source::SourceError;

/// How long a server may take to answer what costs it nothing. A connection may have died without
/// a word, and TCP alone would find out after a quarter of an hour.
const ANSWER: Duration = Duration::from_secs(5);
/// How long to wait for a connection that others use.
const TURN: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is closed.
const IDLE: Duration = Duration::from_secs(300);
/// `client_connection_check_interval` exists from here on.
const CHECKS_ITS_CLIENT: u32 = 140_000;

/// See the module.
pub(super) struct Connections {
    options: PgConnectOptions,
    permits: Arc<Semaphore>,
    most: usize,
    /// The one used last at the end.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// Rows until the end or until an error that the server told.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<PgRow>,
    pub(super) error: Option<sqlx::Error>,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions, most: usize) -> Self {
        let options = options
            .application_name("waybill")
            .extra_float_digits(1)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let most = most.max(1);
        Self {
            options,
            permits: Arc::new(Semaphore::new(most)),
            most,
            idle: Mutex::default(),
        }
    }

    /// Returns whether whoever asks now would wait for others.
    pub(super) fn are_all_in_use(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// Takes a connection and asks the first thing. A connection that died while it was idle is
    /// replaced without anybody noticing: nothing had been asked of it.
    pub(super) async fn ask(
        self: &Arc<Self>,
        sql: &str,
        budget: Duration,
    ) -> Result<(Lease, Answer), SourceError> {
        let permit = timeout(TURN, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let text = format!("all of its {} connections are in use", self.most);
            return Err(SourceError::Unavailable(text));
        };
        let mut lease = Lease {
            connection: None,
            home: Arc::clone(self),
            permit,
        };
        if let Some(mut connection) = self.take_idle() {
            let answer = exchange(&mut connection, sql, budget).await;
            if let Ok(answer) = answer {
                lease.connection = Some(connection);
                return Ok((lease, answer));
            }
            // The others of that time are dead as well.
            self.idle().clear();
        }
        let mut connection = self.connect().await?;
        let answer = exchange(&mut connection, sql, budget).await?;
        lease.connection = Some(connection);
        Ok((lease, answer))
    }

    /// Ends what a process of the server is running for us, over another connection. It takes no
    /// turn: what waits for one may be waiting for this.
    pub(super) async fn cancel(&self, process: i32) -> Result<(), SourceError> {
        let sql = format!("{READ_ONLY}SELECT pg_cancel_backend({process})");
        if let Some(mut connection) = self.take_idle() {
            let answer = exchange(&mut connection, &sql, Duration::ZERO).await;
            if let Ok(Answer { error: None, .. }) = answer {
                self.keep(connection);
                return Ok(());
            }
        }
        let mut connection = self.connect().await?;
        let answer = exchange(&mut connection, &sql, Duration::ZERO).await?;
        if let Some(error) = answer.error {
            return Err(source_error(&error));
        }
        self.keep(connection);
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection, SourceError> {
        // Whatever the reason, nobody can say that the source would refuse a statement.
        let unavailable = |error: sqlx::Error| SourceError::Unavailable(error.to_string());
        let connection = timeout(ANSWER, self.options.connect()).await;
        let mut connection = connection
            .map_err(|_| silent(ANSWER))?
            .map_err(unavailable)?;
        let settings = settings(connection.server_version_num());
        let answer = exchange(&mut connection, &settings, Duration::ZERO).await?;
        match answer.error {
            None => Ok(connection),
            Some(error) => Err(unavailable(error)),
        }
    }

    fn take_idle(&self) -> Option<PgConnection> {
        let mut idle = self.idle();
        let stale = idle.partition_point(|idle| idle.since.elapsed() > IDLE);
        idle.drain(..stale);
        idle.pop().map(|idle| idle.connection)
    }

    fn keep(&self, connection: PgConnection) {
        let mut idle = self.idle();
        if idle.len() < self.most {
            idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    /// Without the options, which hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("most", &self.most)
            .field("idle", &self.idle().len())
            .finish_non_exhaustive()
    }
}

/// A connection in use. Dropped, it is closed; only who knows that it is ready for the next
/// statement gives it back.
pub(super) struct Lease {
    connection: Option<PgConnection>,
    home: Arc<Connections>,
    permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, SourceError> {
        self.connection.as_mut().ok_or(SourceError::Stopped)
    }

    /// Runs statements that give nothing.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), SourceError> {
        let connection = self.connection()?;
        let answer = exchange(connection, sql, Duration::ZERO).await?;
        answer
            .error
            .map_or(Ok(()), |error| Err(source_error(&error)))
    }

    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.keep(connection);
        }
        drop(self.permit);
    }
}

/// Sends statements in one message and collects what comes back, for as long as rows keep coming. An
/// error of the connection itself is the error; one that the server told about a statement is part of
/// the answer.
async fn exchange(
    connection: &mut PgConnection,
    sql: &str,
    budget: Duration,
) -> Result<Answer, SourceError> {
    let patience = ANSWER + budget;
    let mut answer = Answer::default();
    let mut rows = connection.fetch(sqlx::raw_sql(AssertSqlSafe(sql)));
    loop {
        match timeout(patience, rows.try_next()).await {
            Err(_) => return Err(silent(patience)),
            Ok(Ok(Some(row))) => answer.rows.push(row),
            Ok(Ok(None)) => return Ok(answer),
            Ok(Err(error)) if is_lost(&error) => return Err(source_error(&error)),
            Ok(Err(error)) => {
                answer.error = Some(error);
                return Ok(answer);
            }
        }
    }
}

fn silent(patience: Duration) -> SourceError {
    SourceError::Unavailable(format!("no answer within {patience:?}"))
}

/// What every session has, whatever its role's own settings are; sqlx sets `DateStyle` and `TimeZone`.
fn settings(server_version: Option<u32>) -> String {
    let mut settings = "\
SET standard_conforming_strings = on;
SET default_transaction_read_only = on;
"
    .to_owned();
    if server_version.is_some_and(|version| version >= CHECKS_ITS_CLIENT) {
        // A query whose client is gone ends by itself.
        settings.push_str("SET client_connection_check_interval = '1s';\n");
    }
    settings
}
