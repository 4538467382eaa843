//! SQLite files as a source, opened read-only.
//!
//! rusqlite rather than sqlx: it lends each value of a row instead of copying it across a channel,
//! can be interrupted in the middle of a step, and lets us register the functions that
//! its statements compare with.

mod columns;
mod count;
mod error;
mod functions;
mod identifier;
mod idle;
mod indexes;
mod opening;
mod reader;
mod refusal;
mod running;
mod sizes;
pub mod statement;
mod strays;
mod tables;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use self::error::opening_error;
use self::idle::IdleConnections;
use self::opening::{DatabaseFile, Opened};
use self::reader::Reader;
use self::running::{RunningQuery, StopOnDrop};
use self::statement::{SqliteDialect, Statement, select_nothing};
use super::batches;
use super::engine::{Prepared, Reading, RowEstimate, Snapshot, Source};
use super::error::SourceError;
use super::known_types::KnownTypes;
use super::statement::{Dialect, TypedUse};
use super::stored_types::{StoredType, StoredTypes};
use super::tables::{Index, Table};
use crate::catalog::Relation;
use crate::query::ReportPlan;

/// Estimates that are made at the same time.
const COUNTS: usize = 2;

/// One SQLite file. Every report has a connection of its own while it reads.
#[derive(Debug)]
pub struct SqliteSource {
    file: DatabaseFile,
    idle: Arc<IdleConnections>,
    types: KnownTypes,
    counts: Arc<Semaphore>,
}

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
        let (connection, is_another_file) = self.idle.take(&self.file);
        if is_another_file {
            self.types.clear();
        }
        connection
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
            idle.keep(connection);
            Ok(done)
        })
        .await
        .map_err(|_| SourceError::Stopped)?
    }
}

#[async_trait]
impl Source for SqliteSource {
    fn dialect(&self) -> &'static dyn Dialect {
        &SqliteDialect
    }

    async fn open(&self, reading: Reading) -> Result<Snapshot, SourceError> {
        let (opened, opening) = oneshot::channel();
        let (batches_in, batches) = batches::channel(reading.limits.batch);
        let query = Arc::new(RunningQuery::default());
        let reader = Reader {
            file: self.file.clone(),
            idle: Arc::clone(&self.idle),
            connection: self.idle_connection(),
            query: Arc::clone(&query),
            statement: Statement::new(&reading.plan, reading.most_rows, Some(reading.limits)),
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
        plan: &ReportPlan,
        most_rows: u64,
        enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let statement = Statement::new(plan, most_rows, None);
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
        self.with_connection(move |connection| indexes::indexes(connection, &schema, &table))
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
