//! A server that speaks PostgreSQL's protocol as a source.
//!
//! A report is one REPEATABLE READ, READ ONLY transaction of two round trips: the first opens it, locks
//! the tables and reads the clock and the newest row, the second is a binary COPY that is decoded
//! straight into Arrow arrays. sqlx brings the connection with its authentication and TLS; its pool does not fit,
//! because a connection whose COPY was not read to its end must never be used again.

mod advice;
mod columns;
mod connections;
mod copy;
mod error;
pub mod guard;
mod locks;
mod numeric;
mod reader;
pub mod statement;
mod tables;

use std::iter::repeat_n;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Datelike as _, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio_util::sync::CancellationToken;
use waybill_config::DatabaseUrl;
use waybill_postgres::connect_options;

use self::connections::{Answer, Connections, PooledConnection};
use self::error::{is_lock_timeout, is_syntax_error, source_error};
use self::guard::SizeGuard;
use self::locks::Locks;
use self::reader::{GuardedReading, Reader};
use self::statement::{PostgresDialect, Statement, index_columns};
use super::batches;
use super::engine::{Prepared, Reading, RowEstimate, Snapshot, Source, SourceLimits};
use super::error::SourceError;
use super::known_types::KnownTypes;
use super::statement::{Dialect, TypedUse};
use super::stored_types::{StoredType, StoredTypes};
use super::tables::{Index, Table};
use crate::catalog::Relation;
use crate::query::ReportPlan;

/// A derived table has 1,664 columns at most, and each expression takes two.
const TYPES_AT_ONCE: usize = 500;

/// One server. Nothing is open until something is asked.
#[derive(Debug)]
pub struct PostgresSource {
    connections: Arc<Connections>,
    statement_timeout: Duration,
    types: KnownTypes,
    locks: Locks,
}

impl PostgresSource {
    /// A source at this URL, in the form of libpq: `postgres://user:password@host:port/database`
    /// with `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and `options` as parameters.
    ///
    /// # Errors
    /// [`SourceError::Url`] when it is not understood.
    pub fn new(url: &DatabaseUrl, limits: SourceLimits) -> Result<Self, SourceError> {
        let options =
            connect_options(url).map_err(|invalid| SourceError::Url(invalid.to_string()))?;
        Ok(Self {
            connections: Arc::new(Connections::new(options, limits.connections)),
            statement_timeout: limits.statement_timeout,
            types: KnownTypes::default(),
            locks: Locks::default(),
        })
    }

    /// Asks for what is no report and costs the server nothing.
    async fn ask(&self, sql: &str) -> Result<Vec<PgRow>, SourceError> {
        self.connections.rows(sql, Duration::ZERO).await
    }

    /// The first round trip.
    async fn begin(
        &self,
        statement: &Statement,
        budget: Duration,
    ) -> Result<(PooledConnection, Start), SourceError> {
        let newest = statement.newest().filter(|_| !budget.is_zero());
        let rest = opening(newest, budget, self.statement_timeout);
        let begun = self
            .locks
            .begin(&self.connections, statement, &rest, budget);
        let (mut pooled, answer) = begun.await?;
        let mut start = Start::of(&answer)?;
        if let Some(error) = answer.error {
            // The newest row alone can have failed: what comes before cannot.
            tracing::debug!(%error, "the newest row was not found in time; no freshness");
            let timeout = set_timeout(self.statement_timeout);
            let undo = format!("ROLLBACK TO SAVEPOINT newest;\n{END_NEWEST}{timeout}");
            pooled.run(&undo).await?;
            start.source_updated_at = None;
        }
        Ok((pooled, start))
    }
}

#[async_trait]
impl Source for PostgresSource {
    fn dialect(&self) -> &'static dyn Dialect {
        &PostgresDialect
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the channel that it writes into"
    )]
    async fn open(&self, reading: Reading) -> Result<Snapshot, SourceError> {
        let guard = SizeGuard::new(reading.limits);
        let statement = Statement::guarded(&reading.plan, reading.most_rows, &guard);
        let (pooled, start) = self.begin(&statement, reading.freshness_budget).await?;
        let (batches_in, batches) = batches::channel(reading.limits.batch);
        let stop = CancellationToken::new();
        let reader = Reader {
            pooled,
            connections: Arc::clone(&self.connections),
            process: start.process,
            reading: GuardedReading {
                statement,
                columns: reading.columns().to_vec(),
                guard,
            },
            stop: stop.clone(),
        };
        tokio::spawn(reader.run(batches_in));
        Ok(Snapshot {
            materialized_at: start.materialized_at,
            source_updated_at: start.source_updated_at,
            batches,
            _stop: Box::new(stop.drop_guard()),
        })
    }

    async fn estimate(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
        _enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let statement = Statement::new(plan, most_rows);
        let rows = self.ask(statement.estimate()).await?;
        let plan: Option<String> = rows.first().and_then(|row| row.try_get_unchecked(0).ok());
        let rows = plan
            .as_deref()
            .and_then(planned_rows)
            .ok_or_else(|| SourceError::Malformed("a plan without a number of rows".to_owned()))?;
        Ok(Some(RowEstimate::About(rows.min(statement.most_rows()))))
    }

    async fn indexes(&self, table: &str) -> Result<Option<Vec<Index>>, SourceError> {
        let rows = self.ask(&index_columns(table)).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let columns = |row: &PgRow| row.try_get::<Option<Index>, _>(0).transpose();
        let indexes: Result<Vec<Index>, sqlx::Error> = rows.iter().filter_map(columns).collect();
        indexes.map(Some).map_err(|error| source_error(&error))
    }

    async fn stored_types(
        &self,
        relation: &Relation,
        expressions: &[TypedUse<'_>],
    ) -> Result<StoredTypes, SourceError> {
        let unknown = self.types.unknown(relation, expressions);
        for unknown in unknown.chunks(TYPES_AT_ONCE) {
            let sql = statement::stored_types(relation, unknown);
            let rows = self.ask(&sql).await?;
            for row in &rows {
                let (number, stored, narrow_encoding) =
                    stored_type(row).map_err(|error| source_error(&error))?;
                let place = usize::try_from(number).unwrap_or(usize::MAX);
                let (expression, _) = unknown.get(place).ok_or_else(|| {
                    SourceError::Malformed("a type of nothing asked for".to_owned())
                })?;
                self.types
                    .learn(relation, expression, Some(stored), narrow_encoding);
            }
        }
        Ok(self.types.known(relation, expressions))
    }

    async fn count(&self, sql: &str) -> Result<u64, SourceError> {
        let sql = format!("{}{sql}", set_timeout(self.statement_timeout));
        let rows = self.connections.rows(&sql, self.statement_timeout).await?;
        let count = rows.first().map(|row| row.try_get::<i64, _>(0));
        let count = count.transpose().map_err(|error| source_error(&error))?;
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| SourceError::Malformed("no number where one was asked for".to_owned()))
    }

    async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        tables::tables(&self.connections).await
    }

    /// By an EXPLAIN each, which also finds what a mere parse does not: missing permissions. A round
    /// trip takes as many as are accepted one after the other.
    async fn prepare(&self, statements: &[String]) -> Result<Vec<Prepared>, SourceError> {
        let mut prepared = Vec::with_capacity(statements.len());
        let mut at_once = PREPARED_AT_ONCE;
        while let Some(rest) = statements
            .get(prepared.len()..)
            .filter(|rest| !rest.is_empty())
        {
            let batch = &rest[..rest.len().min(at_once)];
            let Answer { rows, error } = self
                .connections
                .answer(&explained(batch), Duration::ZERO)
                .await?;
            // Every plan is one row, and there is none of what is refused.
            let most = batch.len() - usize::from(error.is_some());
            let accepted = rows.len().min(most);
            prepared.extend(repeat_n(Prepared::Accepted, accepted));
            let Some(error) = error else {
                if accepted < batch.len() {
                    return Err(SourceError::Malformed(
                        "a statement without a plan".to_owned(),
                    ));
                }
                continue;
            };
            if is_syntax_error(&error) && batch.len() > 1 {
                // The whole message was read before anything of it ran, so it is not known whose it is.
                prepared.truncate(prepared.len() - accepted);
                at_once = 1;
                continue;
            }
            if is_lock_timeout(&error) {
                // The others of this caller are about the same tables.
                prepared.resize(statements.len(), Prepared::Locked);
                break;
            }
            match source_error(&error) {
                SourceError::Refused(why) => prepared.push(Prepared::Refused(why)),
                error => return Err(error),
            }
        }
        Ok(prepared)
    }

    async fn advice(&self, longest: Duration) -> Result<Vec<String>, SourceError> {
        let rows = self.ask(advice::SETTINGS).await?;
        let advice = rows.first().map(|row| advice::advice(row, longest));
        let advice = advice.transpose().map_err(|error| source_error(&error))?;
        Ok(advice.unwrap_or_default())
    }

    async fn check(&self) -> Result<(), SourceError> {
        // A source that is read as much as it may be is there; who reads hears of it when it goes.
        if self.connections.are_all_in_use() {
            return Ok(());
        }
        self.ask("SELECT 1").await.map(drop)
    }
}

/// A row of [`statement::stored_types`].
fn stored_type(row: &PgRow) -> Result<(i32, StoredType, bool), sqlx::Error> {
    let stored = StoredType {
        name: row.try_get(1)?,
        is_bytewise: row.try_get(2)?,
    };
    let encoding: String = row.try_get(3)?;
    // Nothing is converted for a database of no encoding.
    let narrow_encoding = !matches!(encoding.as_str(), "UTF8" | "SQL_ASCII");
    Ok((row.try_get(0)?, stored, narrow_encoding))
}

/// What is known once the snapshot is taken.
struct Start {
    materialized_at: DateTime<Utc>,
    source_updated_at: Option<DateTime<Utc>>,
    /// The server's process that has the snapshot.
    process: i32,
}

impl Start {
    fn of(answer: &Answer) -> Result<Self, SourceError> {
        let Some(clock) = answer.rows.first() else {
            let error = answer.error.as_ref();
            let silence = || SourceError::Malformed("no answer to the clock".to_owned());
            return Err(error.map_or_else(silence, source_error));
        };
        let failed = |error: sqlx::Error| source_error(&error);
        let micros: i64 = clock.try_get(0).map_err(failed)?;
        let newest = answer.rows.get(1);
        let newest: Option<i64> = newest
            .map_or(Ok(None), |row| row.try_get(0))
            .map_err(failed)?;
        Ok(Self {
            materialized_at: DateTime::from_timestamp_micros(micros)
                .ok_or_else(|| SourceError::Malformed("a clock beyond all years".to_owned()))?,
            source_updated_at: newest
                .and_then(DateTime::from_timestamp_micros)
                .filter(|newest| (1..=9999).contains(&newest.year())),
            process: clock.try_get(1).map_err(failed)?,
        })
    }
}

/// The most statements that are prepared in one round trip.
const PREPARED_AT_ONCE: usize = 100;

/// Plans each of these statements. None of them has a `;`: the catalog allows none.
fn explained(statements: &[String]) -> String {
    let mut sql = String::new();
    for statement in statements {
        sql.push_str(&format!("EXPLAIN (FORMAT JSON)\n{statement};\n"));
    }
    sql
}

/// Opens the snapshot. `now()` is when the server got this text, which is before it takes the snapshot for
/// this SELECT: just before, unless a lock had to be waited for, and then for no longer than that may
/// take. What a role has set of how values are written is put back to what
/// PostgreSQL comes with, for this transaction alone.
const CLOCK: &str = "\
SET LOCAL synchronize_seqscans = off;
SELECT (extract(epoch FROM now()) * 1000000)::int8, pg_backend_pid(),
  set_config('DateStyle', 'ISO, MDY', true), set_config('IntervalStyle', 'postgres', true),
  set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true),
  set_config('xmlbinary', 'base64', true), set_config('TimeZone', 'UTC', true);
";

/// A replica that has to end a reading for the changes of its primary tells it so, but within a
/// subtransaction it ends the session instead, without a word where that is sending rows.
const END_NEWEST: &str = "RELEASE SAVEPOINT newest;\n";

fn opening(newest: Option<&str>, budget: Duration, statement_timeout: Duration) -> String {
    let timeout = set_timeout(statement_timeout);
    match newest {
        None => format!("{CLOCK}{timeout}"),
        Some(newest) => format!(
            "{CLOCK}SAVEPOINT newest;\n{}{newest};\n{END_NEWEST}{timeout}",
            set_timeout(budget)
        ),
    }
}

/// A timeout of zero is none.
fn set_timeout(timeout: Duration) -> String {
    // The setting is an int of milliseconds, some 24 days at most.
    let millis = timeout.as_millis().min(i32::MAX.unsigned_abs().into());
    format!("SET LOCAL statement_timeout = {millis};\n")
}

/// The number of rows at the top of a plan in JSON.
fn planned_rows(plan: &str) -> Option<u64> {
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    plan.pointer("/0/Plan/Plan Rows")?.as_u64()
}
