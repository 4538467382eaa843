//! The connections to one server: how many, which are idle, and when one must not be used again.
//!
//! It knows how a transaction is set up and how an exchange begins; what is asked is not its business.
//!
//! A pooler may stand in between, and then a connection of the server is somebody else's from one
//! transaction to the next: everything is asked in a transaction, and nothing is set beyond it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::{is_lost, source_error};
use crate::source::error::SourceError;

/// How long a server may take to answer what costs it nothing. A connection may have died without
/// a word, and TCP alone would find out after a quarter of an hour.
const ANSWER: Duration = Duration::from_secs(5);
/// How long to wait for a connection that others use.
const TURN: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is closed.
const IDLE: Duration = Duration::from_secs(300);
/// How long a statement waits for a lock. Whoever holds one for longer, as a rewrite of a table does, is
/// not waited for.
const LOCK: Duration = Duration::from_secs(1);
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

/// How long the transaction lasts in which something is asked. It can only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    /// For the one message.
    Message,
    /// Until who asked ends it.
    Open,
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
        transaction: Transaction,
        budget: Duration,
    ) -> Result<(PooledConnection, Answer), SourceError> {
        let permit = timeout(TURN, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let text = format!("all of its {} connections are in use", self.most);
            return Err(SourceError::Unavailable(text));
        };
        let mut pooled = PooledConnection {
            connection: None,
            home: Arc::clone(self),
            permit,
        };
        if let Some(mut connection) = self.take_idle() {
            let answer = asked(&mut connection, sql, transaction, budget).await;
            if let Ok(answer) = answer {
                pooled.connection = Some(connection);
                return Ok((pooled, answer));
            }
            // The others of that time are dead as well.
            self.idle.lock().clear();
        }
        let mut connection = self.connect().await?;
        let answer = asked(&mut connection, sql, transaction, budget).await?;
        pooled.connection = Some(connection);
        Ok((pooled, answer))
    }

    /// Asks for what is no report, in one round trip and in a transaction of its own, which may take as long
    /// as the budget before it answers.
    pub(super) async fn rows(
        self: &Arc<Self>,
        sql: &str,
        budget: Duration,
    ) -> Result<Vec<PgRow>, SourceError> {
        let Answer { rows, error } = self.answer(sql, budget).await?;
        error.map_or(Ok(rows), |error| Err(source_error(&error)))
    }

    /// The same, with what came before an error of the server's.
    pub(super) async fn answer(
        self: &Arc<Self>,
        sql: &str,
        budget: Duration,
    ) -> Result<Answer, SourceError> {
        let (pooled, answer) = self.ask(sql, Transaction::Message, budget).await?;
        // Its transaction has ended, whatever came of it.
        pooled.give_back();
        Ok(answer)
    }

    /// Ends what a process of the server is running for us, over another connection. It takes no
    /// turn: what waits for one may be waiting for this.
    pub(super) async fn cancel(&self, process: i32) -> Result<(), SourceError> {
        let sql = format!("SELECT pg_cancel_backend({process})");
        let (within, budget) = (Transaction::Message, Duration::ZERO);
        if let Some(mut connection) = self.take_idle() {
            let answer = asked(&mut connection, &sql, within, budget).await;
            if let Ok(Answer { error: None, .. }) = answer {
                self.keep(connection);
                return Ok(());
            }
        }
        let mut connection = self.connect().await?;
        let answer = asked(&mut connection, &sql, within, budget).await?;
        if let Some(error) = answer.error {
            return Err(source_error(&error));
        }
        self.keep(connection);
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection, SourceError> {
        let connection = timeout(ANSWER, self.options.connect()).await;
        connection
            .map_err(|_| silent(ANSWER))?
            // Whatever the reason, nobody can say that the source would refuse a statement.
            .map_err(|error| SourceError::Unavailable(error.to_string()))
    }

    fn take_idle(&self) -> Option<PgConnection> {
        let mut idle = self.idle.lock();
        let stale = idle.partition_point(|idle| idle.since.elapsed() > IDLE);
        idle.drain(..stale);
        idle.pop().map(|idle| idle.connection)
    }

    fn keep(&self, connection: PgConnection) {
        let mut idle = self.idle.lock();
        if idle.len() < self.most {
            idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }
}

impl fmt::Debug for Connections {
    /// Without the options, which hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("most", &self.most)
            .field("idle", &self.idle.lock().len())
            .finish_non_exhaustive()
    }
}

/// A connection in use. Dropped, it is closed; only who knows that it is ready for the next
/// statement gives it back.
pub(super) struct PooledConnection {
    connection: Option<PgConnection>,
    home: Arc<Connections>,
    permit: OwnedSemaphorePermit,
}

impl PooledConnection {
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

/// Asks within a transaction, which is begun in the same message where that can be.
async fn asked(
    connection: &mut PgConnection,
    sql: &str,
    transaction: Transaction,
    budget: Duration,
) -> Result<Answer, SourceError> {
    let version = connection.server_version_num();
    // A message is read as a whole before its settings are made, and what a backslash means is one.
    if !sql.contains('\\') {
        let sql = beginning(transaction, version) + sql;
        return exchange(connection, &sql, budget).await;
    }
    let begin = beginning(Transaction::Open, version);
    let begun = exchange(connection, &begin, Duration::ZERO).await?;
    if let Some(error) = begun.error {
        return Err(source_error(&error));
    }
    let answer = exchange(connection, sql, budget).await?;
    if transaction == Transaction::Message {
        exchange(connection, "ROLLBACK", Duration::ZERO).await?;
    }
    Ok(answer)
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

/// What every transaction begins with, whatever the role's own settings are: a standby takes none that is
/// serializable, not even to read. Nothing here takes the snapshot. Statements of one message are a
/// transaction of their own.
fn beginning(transaction: Transaction, server_version: Option<u32>) -> String {
    let begin = match transaction {
        Transaction::Open => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        Transaction::Message => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    };
    let lock = LOCK.as_millis();
    let mut beginning = format!(
        "{begin};\nSET LOCAL standard_conforming_strings = on;\nSET LOCAL lock_timeout = {lock};\n"
    );
    if server_version.is_some_and(|version| version >= CHECKS_ITS_CLIENT) {
        // A query whose client is gone ends by itself.
        beginning.push_str("SET LOCAL client_connection_check_interval = '1s';\n");
    }
    beginning
}
