//! The blocking side of a report, from its snapshot to its last batch.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::columns::BatchBuilder;
use super::error::{opening_error, reading_error, source_error};
use super::idle::IdleConnections;
use super::opening::{DatabaseFile, Opened};
use super::running::{RunningQuery, STEPS_BETWEEN_CHECKS};
use super::statement::{Statement, TIME};
use super::strays::Found;
use super::{sizes, strays, value};
use crate::source::batches::BatchSender;
use crate::source::engine::Reading;
use crate::source::error::SourceError;

/// What is known once the snapshot is taken.
pub(super) struct Start {
    pub(super) materialized_at: DateTime<Utc>,
    pub(super) source_updated_at: Option<DateTime<Utc>>,
}

/// The blocking side of one report.
pub(super) struct Reader {
    pub(super) file: DatabaseFile,
    pub(super) idle: Arc<IdleConnections>,
    pub(super) connection: Option<Opened>,
    pub(super) query: Arc<RunningQuery>,
    pub(super) reading: Reading,
    pub(super) statement: Statement,
}

impl Reader {
    pub(super) fn run(
        mut self,
        opened: oneshot::Sender<Result<Start, SourceError>>,
        batches: &BatchSender,
    ) {
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
            self.idle.keep(connection);
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
    #[expect(
        clippy::disallowed_methods,
        reason = "SQLite's clock is this process's"
    )]
    fn start(&self, connection: &Connection) -> Result<(Start, &str), SourceError> {
        connection.execute_batch("BEGIN").map_err(source_error)?;
        sizes::limit(connection, self.reading.limits).map_err(source_error)?;
        let materialized_at = Utc::now();
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(|error| opening_error(error, &self.file))?;
        let (statement, check) = (&self.statement, self.statement.time_check());
        let found = strays::look(connection, check);
        let report = match found.map_err(|error| sizes::read_error(error, &self.reading))? {
            Found::Nothing => statement.report(),
            Found::NoIndex => &check.whole_report,
            Found::Stray(reason) => {
                return Err(SourceError::Value {
                    column: TIME.to_owned(),
                    row: None,
                    reason: reason.to_owned(),
                });
            }
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
        match error {
            SourceError::Value {
                column,
                row: None,
                reason,
            } if column == TIME => {
                let place = strays::row(connection, self.statement.time_check())
                    .map_or_else(String::new, |row| format!(", in the row with rowid {row}"));
                SourceError::Value {
                    column,
                    row: None,
                    reason: reason + &place,
                }
            }
            error => error,
        }
    }

    fn newest(&self, connection: &Connection) -> Result<Option<DateTime<Utc>>, SourceError> {
        let budget = self.reading.freshness_budget;
        let Some(newest) = self.statement.newest().filter(|_| !budget.is_zero()) else {
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
        let limits = self.reading.limits;
        let read_error = |error| sizes::read_error(error, &self.reading);
        let mut statement = connection.prepare_cached(report).map_err(source_error)?;
        let mut rows = statement.query([]).map_err(read_error)?;
        let mut batch = BatchBuilder::new(self.reading.columns(), limits);
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
