//! SQLite files as a source, opened read-only.
//!
//! rusqlite rather than sqlx: it lends each value of a row instead of copying it across a channel,
//! can be interrupted in the middle of a step, and lets us register the functions that
//! [`statement`](crate::source::statement) compares with.

mod columns;
mod count;
mod functions;
mod identifier;
mod opening;
mod sizes;
pub(in crate::source) mod statement;
mod strays;
mod tables;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, InterruptHandle};
use tokio::sync::{Semaphore, oneshot};

use self::columns::BatchBuilder;
use self::opening::{DatabaseFile, Opened};
use self::strays::Found;
use super::batches::{self, BatchSender};
use super::known_types::KnownTypes;
use super::tables::Table;
use super::{
    Index, Prepared, QueryFault, Reading, RowEstimate, Snapshot, Source, SourceError, text,
};
use crate::catalog::Relation;
use crate::source::statement::{Dialect, Statement, TimeCheck, TypedUse, select_nothing};
use crate::source::stored_types::{StoredType, StoredTypes};

#[cfg(test)]
pub(crate) use self::functions::register as register_functions;

/// Estimates that are made at the same time.
const COUNTS: usize = 2;
/// Connections kept open between reports.
const IDLE_CONNECTIONS: usize = 8;
/// What follows a column that is not there where its name was quoted.
const QUOTES_HINT: &str = " - should this be a string literal";
/// Virtual-machine steps between looks at whether a query is still wanted and in time.
const STEPS_BETWEEN_CHECKS: i32 = 1_000;

/// One SQLite file. Every report has a connection of its own while it reads.
#[derive(Debug)]
pub struct SqliteSource {
    file: DatabaseFile,
    idle: Idle,
    types: KnownTypes,
    counts: Arc<Semaphore>,
}

/// Connections that no report uses.
type Idle = Arc<Mutex<Vec<Opened>>>;

impl SqliteSource {
    /// A source on this file; nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::of_file(DatabaseFile::new(path.into(), false))
    }

    /// A source on a file that nothing writes to, be it only because its disk cannot be written.
    #[must_use]
    pub fn immutable(path: impl Into<PathBuf>) -> Self {
        Self::of_file(DatabaseFile::new(path.into(), true))
    }

    fn of_file(file: DatabaseFile) -> Self {
        Self {
            file,
            idle: Arc::default(),
            types: KnownTypes::default(),
            counts: Arc::new(Semaphore::new(COUNTS)),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A connection to the file that is there now. Those to one that was there before are closed.
    fn idle_connection(&self) -> Option<Opened> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let before = idle.len();
        self.file.retain_current(&mut idle);
        if idle.len() < before {
            self.types.clear();
        }
        idle.pop()
    }
}

impl SqliteSource {
    async fn with_connection<F, T>(&self, work: F) -> Result<T, SourceError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (file, idle) = (self.file.clone(), Arc::clone(&self.idle));
        let connection = self.idle_connection();
        tokio::task::spawn_blocking(move || {
            let done = connection
                .map_or_else(|| file.open(), Ok)
                .and_then(|connection| Ok((work(&connection)?, connection)));
            let (done, connection) = done.map_err(|error| opening_error(error, &file))?;
            keep(&idle, connection);
            Ok(done)
        })
        .await
        .map_err(|_| SourceError::Stopped)?
    }
}

#[async_trait]
impl Source for SqliteSource {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn open(&self, reading: Reading) -> Result<Snapshot, SourceError> {
        let (opened, opening) = oneshot::channel();
        let (batches_in, batches) = batches::channel(reading.guard.limits.batch);
        let query = Arc::new(RunningQuery::default());
        let reader = Reader {
            file: self.file.clone(),
            idle: Arc::clone(&self.idle),
            connection: self.idle_connection(),
            query: Arc::clone(&query),
            reading,
        };
        let stop = StopOnDrop(query);
        tokio::task::spawn_blocking(move || reader.run(opened, &batches_in));
        let start = opening.await.map_err(|_| SourceError::Stopped)??;
        Ok(Snapshot {
            materialized_at: start.materialized_at,
            source_updated_at: start.source_updated_at,
            batches,
            _stop: Box::new(stop),
        })
    }

    /// By a count, as far as it costs little. Only a few at a time: who finds no turn does without, so
    /// that a crowd's counts never take the processors from its reports.
    async fn estimate(
        &self,
        statement: &Statement,
        enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let Some(sql) = statement.estimate().map(ToOwned::to_owned) else {
            return Ok(None);
        };
        let Ok(turn) = Arc::clone(&self.counts).try_acquire_owned() else {
            return Ok(None);
        };
        let (report, most_rows) = (statement.report().to_owned(), statement.most_rows());
        self.with_connection(move |connection| {
            // What the database refuses has no rows, however many it would read.
            connection.prepare(&report)?;
            let counted = count::count(connection, &sql, most_rows, enough);
            drop(turn);
            counted
        })
        .await
    }

    async fn indexes(&self, table: &str) -> Result<Option<Vec<Index>>, SourceError> {
        let (schema, table) = table.rsplit_once('.').unwrap_or(("main", table));
        let (schema, table) = (schema.to_owned(), table.to_owned());
        self.with_connection(move |connection| indexes(connection, &schema, &table))
            .await
    }

    async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        self.with_connection(tables::tables).await
    }

    async fn stored_types(
        &self,
        relation: &Relation,
        expressions: &[TypedUse<'_>],
    ) -> Result<StoredTypes, SourceError> {
        let unknown = self.types.unknown(relation, expressions);
        if !unknown.is_empty() {
            let texts: Vec<&str> = unknown.iter().map(|(expression, _)| *expression).collect();
            let sql = select_nothing(relation, &texts);
            let are_texts = self
                .with_connection(move |connection| {
                    let statement = connection.prepare(&sql)?;
                    let columns = statement.columns();
                    let types = columns.iter().map(rusqlite::Column::decl_type);
                    Ok(types
                        .map(|name| name.is_some_and(has_text_affinity))
                        .collect::<Vec<bool>>())
                })
                .await?;
            for (expression, is_text) in texts.into_iter().zip(are_texts) {
                let stored = is_text.then(|| StoredType {
                    name: "TEXT".to_owned(),
                    is_bytewise: true,
                });
                self.types.learn(relation, expression, stored, false);
            }
        }
        Ok(self.types.known(relation, expressions))
    }

    async fn count(&self, sql: &str) -> Result<u64, SourceError> {
        let sql = sql.to_owned();
        let count: i64 = self
            .with_connection(move |connection| connection.query_row(&sql, [], |row| row.get(0)))
            .await?;
        u64::try_from(count)
            .map_err(|_| SourceError::Malformed("no number where one was asked for".to_owned()))
    }

    async fn prepare(&self, statements: &[String]) -> Result<Vec<Prepared>, SourceError> {
        let mut prepared = Vec::with_capacity(statements.len());
        for sql in statements {
            let sql = sql.clone();
            let answer = self.with_connection(move |connection| connection.prepare(&sql).map(drop));
            prepared.push(match answer.await {
                Ok(()) => Prepared::Accepted,
                Err(SourceError::Refused(why)) => Prepared::Refused(why),
                Err(error) => return Err(error),
            });
        }
        Ok(prepared)
    }

    async fn check(&self) -> Result<(), SourceError> {
        self.with_connection(|connection| {
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        })
        .await
    }
}

/// Whether a column that is declared so holds texts, BLOBs and NULLs alone, whatever was written to it.
fn has_text_affinity(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let is_text = ["CHAR", "CLOB", "TEXT"]
        .iter()
        .any(|word| declared.contains(word));
    is_text && !declared.contains("INT")
}

const IS_TABLE: &str = "\
SELECT count(*) FROM pragma_table_list WHERE schema = ?1 AND name = ?2 COLLATE NOCASE AND type = 'table'";

/// The name of an expression is NULL.
const INDEX_COLUMNS: &str = "\
SELECT indexes.name, columns.name
FROM pragma_index_list(?2, ?1) AS indexes, pragma_index_info(indexes.name, ?1) AS columns
WHERE NOT indexes.partial
ORDER BY indexes.seq, columns.seqno";

fn indexes(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> rusqlite::Result<Option<Vec<Index>>> {
    let tables: i64 = connection.query_row(IS_TABLE, [schema, table], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let mut statement = connection.prepare(INDEX_COLUMNS)?;
    let mut rows = statement.query([schema, table])?;
    let mut indexes: Vec<(String, Index)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (index, column): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let column = column.unwrap_or_default();
        match indexes.last_mut() {
            Some((last, columns)) if *last == index => columns.push(column),
            _ => indexes.push((index, vec![column])),
        }
    }
    Ok(Some(
        indexes.into_iter().map(|(_, columns)| columns).collect(),
    ))
}

/// What is known once the snapshot is taken.
struct Start {
    materialized_at: DateTime<Utc>,
    source_updated_at: Option<DateTime<Utc>>,
}

/// The blocking side of one report.
struct Reader {
    file: DatabaseFile,
    idle: Idle,
    connection: Option<Opened>,
    query: Arc<RunningQuery>,
    reading: Reading,
}

impl Reader {
    fn run(mut self, opened: oneshot::Sender<Result<Start, SourceError>>, batches: &BatchSender) {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.file.open(),
        };
        let connection = match connection.map_err(|error| opening_error(error, &self.file)) {
            Ok(connection) => connection,
            Err(error) => return drop(opened.send(Err(error))),
        };
        self.query.started(connection.get_interrupt_handle());
        let start = self
            .check_now_and_then(&connection, None)
            .and_then(|()| self.start(&connection));
        let (start, report) = match start {
            Ok((start, report)) => (Ok(start), Some(report)),
            Err(error) => (Err(self.with_row(&connection, error)), None),
        };
        let awaited = opened.send(start).is_ok();
        let outcome = match report {
            Some(report) if awaited => self
                .read(&connection, report, batches)
                .map_err(|error| self.with_row(&connection, error)),
            _ => Ok(()),
        };
        // From here on an interrupt would hit whoever uses the connection next.
        self.query.ended();
        if let Err(error) = outcome {
            // Nobody listens any more when the snapshot was dropped, which interrupts the query.
            batches.blocking_fail(error);
        }
        let unwatched = connection.progress_handler(0, None::<fn() -> bool>).is_ok();
        if unwatched && (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok())
        {
            keep(&self.idle, connection);
        }
    }

    /// Has every statement from here on end once the query is stopped, or the deadline is over. An
    /// interrupt alone is lost when it comes between two statements.
    fn check_now_and_then(
        &self,
        connection: &Connection,
        deadline: Option<Instant>,
    ) -> Result<(), SourceError> {
        let query = Arc::clone(&self.query);
        let is_over = move || {
            query.is_stopped() || deadline.is_some_and(|deadline| Instant::now() > deadline)
        };
        connection
            .progress_handler(STEPS_BETWEEN_CHECKS, Some(is_over))
            .map_err(source_error)
    }

    /// Takes the snapshot, which begins with the first read of its transaction, and chooses the statement.
    fn start(&self, connection: &Connection) -> Result<(Start, &str), SourceError> {
        connection.execute_batch("BEGIN").map_err(source_error)?;
        sizes::limit(connection, self.reading.guard.limits).map_err(source_error)?;
        let materialized_at = Utc::now();
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(|error| opening_error(error, &self.file))?;
        let statement = &self.reading.statement;
        let report = match statement.time_check() {
            Some(check) => match strays::look(connection, check)
                .map_err(|error| sizes::read_error(error, &self.reading))?
            {
                Found::Nothing => statement.report(),
                Found::NoIndex => &check.whole_report,
                Found::Stray(reason) => {
                    return Err(SourceError::Value {
                        column: TimeCheck::COLUMN.to_owned(),
                        row: None,
                        reason: reason.to_owned(),
                    });
                }
            },
            None => statement.report(),
        };
        // A statement that cannot be prepared is reported here, before anything is promised.
        connection.prepare_cached(report).map_err(source_error)?;
        let start = Start {
            materialized_at,
            source_updated_at: self.newest(connection)?,
        };
        Ok((start, report))
    }

    /// Says of a time that is no instant in which row it is, where rows have a number.
    fn with_row(&self, connection: &Connection, error: SourceError) -> SourceError {
        match (error, self.reading.statement.time_check()) {
            (
                SourceError::Value {
                    column,
                    row: None,
                    reason,
                },
                Some(check),
            ) if column == TimeCheck::COLUMN => {
                let place = strays::row(connection, check)
                    .map_or_else(String::new, |row| format!(", in the row with rowid {row}"));
                SourceError::Value {
                    column,
                    row: None,
                    reason: reason + &place,
                }
            }
            (error, _) => error,
        }
    }

    fn newest(&self, connection: &Connection) -> Result<Option<DateTime<Utc>>, SourceError> {
        let budget = self.reading.freshness_budget;
        let Some(newest) = self
            .reading
            .statement
            .newest()
            .filter(|_| !budget.is_zero())
        else {
            return Ok(None);
        };
        self.check_now_and_then(connection, Some(Instant::now() + budget))?;
        let found = connection.prepare_cached(newest).and_then(|mut statement| {
            statement.query_row([], |row| Ok(value::instant(row.get_ref(0)?)))
        });
        self.check_now_and_then(connection, None)?;
        match found.map_err(reading_error) {
            Ok(Ok(instant)) => Ok(instant),
            Ok(Err(reason)) => {
                tracing::warn!(reason, "the update column holds no instant; no freshness");
                Ok(None)
            }
            Err(SourceError::Cancelled(_)) => {
                tracing::debug!("finding the newest row took too long; no freshness");
                Ok(None)
            }
            Err(SourceError::Value { reason, .. }) => {
                tracing::warn!(reason, "the update column holds no instant; no freshness");
                Ok(None)
            }
            Err(SourceError::Query(fault)) => {
                tracing::warn!(%fault, "the newest row cannot be found; no freshness");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn read(
        &self,
        connection: &Connection,
        report: &str,
        batches: &BatchSender,
    ) -> Result<(), SourceError> {
        let limits = self.reading.guard.limits;
        let read_error = |error| sizes::read_error(error, &self.reading);
        let mut statement = connection.prepare_cached(report).map_err(source_error)?;
        let mut rows = statement.query([]).map_err(read_error)?;
        let mut batch = BatchBuilder::new(&self.reading.columns, limits);
        while let Some(row) = rows.next().map_err(read_error)? {
            batch.push(row)?;
            if batch.is_full() {
                let bytes = batch.bytes();
                if batches.blocking_send(batch.take()?, bytes).is_err() {
                    return Ok(());
                }
            }
        }
        if !batch.is_empty() {
            let bytes = batch.bytes();
            drop(batches.blocking_send(batch.take()?, bytes));
        }
        Ok(())
    }
}

/// The handle by which a running query can be interrupted, for as long as it runs.
#[derive(Default)]
struct RunningQuery {
    state: Mutex<State>,
    is_stopped: AtomicBool,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Running(InterruptHandle),
    Stopped,
}

impl RunningQuery {
    fn started(&self, handle: InterruptHandle) {
        let mut state = self.lock();
        match *state {
            State::Stopped => handle.interrupt(),
            State::Waiting | State::Running(_) => *state = State::Running(handle),
        }
    }

    fn ended(&self) {
        *self.lock() = State::Stopped;
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        if let State::Running(handle) = &*state {
            handle.interrupt();
        }
        *state = State::Stopped;
    }
}

struct StopOnDrop(Arc<RunningQuery>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn keep(idle: &Mutex<Vec<Opened>>, connection: Opened) {
    let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < IDLE_CONNECTIONS {
        idle.push(connection);
    }
}

/// The same of a statement that runs. What it says then is about the data or about what reading takes,
/// unless the file is away or no database.
fn reading_error(error: rusqlite::Error) -> SourceError {
    let code = error.sqlite_error_code();
    match source_error(error) {
        SourceError::Unavailable(reason) if code == Some(ErrorCode::DiskFull) => {
            SourceError::Limit {
                reason,
                hint: "The disk with its temporary files is full.",
                is_final: false,
            }
        }
        SourceError::Unavailable(reason) if code == Some(ErrorCode::OutOfMemory) => {
            SourceError::Limit {
                reason,
                hint: "It is out of memory.",
                is_final: false,
            }
        }
        // A statement that was prepared before is prepared again where the schema changed meanwhile.
        SourceError::Refused(reason) if reason.starts_with("no such ") => {
            SourceError::Refused(reason)
        }
        SourceError::Refused(reason) => match code {
            Some(ErrorCode::OperationInterrupted) => SourceError::Cancelled(reason),
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::InternalMalfunction
                | ErrorCode::ApiMisuse
                | ErrorCode::AuthorizationForStatementDenied,
            ) => SourceError::Refused(text::without_values(&reason)),
            _ => SourceError::Query(QueryFault {
                sqlstate: None,
                column: None,
                reason: text::without_values(&reason),
                is_passing: false,
            }),
        },
        error => error,
    }
}

/// As [`source_error`], with what may be done about a file that is there and cannot be opened.
fn opening_error(error: rusqlite::Error, file: &DatabaseFile) -> SourceError {
    let cannot_open = error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
    match (source_error(error), file.hint()) {
        (SourceError::Unavailable(text), Some(hint)) if cannot_open => {
            SourceError::Unavailable(format!("{text}: {hint}"))
        }
        (error, _) => error,
    }
}

fn source_error(error: rusqlite::Error) -> SourceError {
    let code = error.sqlite_error_code();
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = &error
        && let Some((column, reason)) = functions::refusal(text)
    {
        return SourceError::Value {
            column: column.to_owned(),
            row: None,
            reason: reason.to_owned(),
        };
    }
    let text = match error {
        // Without the statement, which is long and says nothing new, and without the hint of newer
        // versions, which is about quotes that are ours.
        rusqlite::Error::SqlInputError { mut msg, .. } => {
            msg.truncate(msg.find(QUOTES_HINT).unwrap_or(msg.len()));
            msg
        }
        error => error.to_string(),
    };
    match code {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::SchemaChanged
            | ErrorCode::FileLockingProtocolFailed,
        ) => SourceError::Unavailable(text),
        _ => SourceError::Refused(text),
    }
}
