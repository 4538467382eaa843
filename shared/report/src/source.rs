//! Where rows come from: one snapshot of one database for each report.
//!
//! A source turns a [`Statement`] into record batches of the plan's columns. It knows its database
//! and nothing of formats, files or jobs.

mod batches;
mod client_failure;
mod json;
mod known_types;
pub mod postgres;
pub mod sqlite;
pub mod statement;
pub mod stored_types;
pub mod tables;
mod text;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use waybill_config::DatabaseUrl;

use crate::catalog::Relation;
use crate::column::{Column, ColumnKind};
use crate::query::ReportPlan;
use crate::size::{Oversize, SizeLimits};

use self::batches::BatchReceiver;
use self::postgres::PostgresSource;
use self::sqlite::SqliteSource;
use self::statement::{Dialect, SizeGuard, Statement, TypedUse, tenant_expression};
use self::stored_types::StoredTypes;
use self::tables::Table;

/// The most rows of one batch.
pub const BATCH_ROWS: usize = 4_096;

/// A database that reports are read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// The SQL that it speaks.
    fn dialect(&self) -> Dialect;

    /// Opens a snapshot and starts to read it. Returns once the newest row's instant is known or
    /// its budget is spent; the report's own rows follow through [`Snapshot::next`].
    ///
    /// # Errors
    /// [`SourceError`]. A statement that the database refuses is an error here or of the first
    /// [`Snapshot::next`].
    async fn open(&self, reading: Reading) -> Result<Snapshot, SourceError>;

    /// How many rows a statement is expected to give, by statistics or by a count, at a cost that is
    /// small against reading them; never more than the statement can give. A count ends once it has found
    /// more than `enough`, if that is all that matters. `None` where nothing tells so cheaply.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn estimate(
        &self,
        statement: &Statement,
        enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError>;

    /// The indexes of a table, possibly qualified by its schema. `None` when it is no table.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn indexes(&self, table: &str) -> Result<Option<Vec<Index>>, SourceError>;

    /// What the database makes of expressions over a relation; of none where it has no types of its own.
    ///
    /// # Errors
    /// [`SourceError::Refused`] when it does not take one of them.
    async fn stored_types(
        &self,
        relation: &Relation,
        expressions: &[TypedUse<'_>],
    ) -> Result<StoredTypes, SourceError> {
        let _ = (relation, expressions);
        Ok(StoredTypes::default())
    }

    /// The tables and views that may be read, by name, with how each column can be had; nothing of the
    /// database's own. For drafts alone: it may take some seconds.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn tables(&self) -> Result<Vec<Table>, SourceError>;

    /// The number that a statement gives, which reads as much as a report may.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn count(&self, sql: &str) -> Result<u64, SourceError>;

    /// What the database makes of each of these statements, which are about the same tables, in their
    /// order; none is run. Takes few round trips however many there are.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be asked.
    async fn prepare(&self, statements: &[String]) -> Result<Vec<Prepared>, SourceError>;

    /// What the settings of the database mean for a reading that takes so long: a sentence for each that
    /// stands in its way.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn advice(&self, longest: Duration) -> Result<Vec<String>, SourceError> {
        let _ = longest;
        Ok(Vec::new())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] when it does not.
    async fn check(&self) -> Result<(), SourceError>;
}

/// What a database makes of a statement that is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It would run it.
    Accepted,
    /// It would refuse it, and why.
    Refused(String),
    /// Nobody knows while somebody holds a lock on one of its tables.
    Locked,
}

/// How many rows a report is expected to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowEstimate {
    /// About as many: a planner's expectation, or a count to the end.
    About(u64),
    /// As many were found before the count ended; nobody knows how many follow.
    AtLeast(u64),
}

impl RowEstimate {
    /// Whether more rows than these are expected.
    #[must_use]
    pub fn exceeds(self, rows: u64) -> bool {
        match self {
            Self::About(expected) | Self::AtLeast(expected) => expected > rows,
        }
    }

    /// The number, where it is one of all rows.
    #[must_use]
    pub fn about(self) -> Option<u64> {
        match self {
            Self::About(expected) => Some(expected),
            Self::AtLeast(_) => None,
        }
    }
}

/// The columns of an index over all rows of a table, in its order. An expression has no name, so
/// it is the empty text.
pub type Index = Vec<String>;

/// What one source may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// The longest that one statement may run on the server; zero = as long as it takes.
    pub statement_timeout: Duration,
    /// The most connections at a time, 1 or more. Who finds none free waits.
    pub connections: usize,
}

/// The source at a URL. Nothing is opened yet, so a database that is away is no error. A SQLite file
/// has no server that could keep the limits: there the caller's own timeouts stop a query.
///
/// # Errors
/// [`SourceError::Url`] when the URL of a server is not understood.
pub fn connect(url: &DatabaseUrl, limits: SourceLimits) -> Result<Arc<dyn Source>, SourceError> {
    match url.sqlite_path() {
        Some(file) if url.is_immutable() => Ok(Arc::new(SqliteSource::immutable(file))),
        Some(file) => Ok(Arc::new(SqliteSource::new(file))),
        None => Ok(Arc::new(PostgresSource::new(url, limits)?)),
    }
}

/// One report to be read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What to run.
    pub statement: Statement,
    /// What it gives.
    pub columns: Vec<Column>,
    /// The most time that finding the newest row may cost; zero = do not look.
    pub freshness_budget: Duration,
    /// How large cells and rows may be, which the statement says as well.
    pub guard: SizeGuard,
}

/// A consistent view of the database at one instant. Dropping it stops the query.
pub struct Snapshot {
    /// The instant of the view, read just before it was taken: every row committed until then is in.
    pub materialized_at: DateTime<Utc>,
    /// When the newest row of this dataset and organisation changed, if that was quick to find.
    pub source_updated_at: Option<DateTime<Utc>>,
    batches: BatchReceiver,
    /// Dropped with the snapshot; stops the query behind it.
    _stop: Box<dyn Send + Sync>,
}

impl Snapshot {
    /// The next rows; `None` after the last. The batch before should be dropped by now: it is no
    /// longer counted among the bytes that are read ahead.
    ///
    /// # Errors
    /// [`SourceError`]; nothing follows it. A source that ends without its end is an error too,
    /// never a short result.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, SourceError>> {
        self.batches.next().await
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("materialized_at", &self.materialized_at)
            .field("source_updated_at", &self.source_updated_at)
            .finish_non_exhaustive()
    }
}

/// Why rows could not be read. The texts are for the operator, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No source of this name is configured.
    #[error("no source named {0} is configured")]
    NotConfigured(String),
    /// The database cannot be reached, is locked or has a passing trouble; worth another try.
    #[error("the source is unavailable: {0}")]
    Unavailable(String),
    /// The URL cannot be a server's.
    #[error("the URL of the source is not understood: {0}")]
    Url(String),
    /// The server stopped the statement at its `statement_timeout`, or a person did.
    #[error("the source stopped the statement: {0}")]
    Cancelled(String),
    /// What the server sent is no whole result.
    #[error("the source sent a malformed result: {0}")]
    Malformed(String),
    /// The database gave the reading up for other work of its own.
    #[error("the source gave the reading up: {reason}")]
    Conflict {
        /// What it said.
        reason: String,
        /// What it was, and which setting governs it; for the client, too.
        hint: &'static str,
    },
    /// The database came to a limit of its own.
    #[error("the source came to its limit: {reason}")]
    Limit {
        /// What it said.
        reason: String,
        /// Which limit, and which setting governs it; for the client, too.
        hint: &'static str,
        /// Whether another try would meet it as well.
        is_final: bool,
    },
    /// The data made the statement fail: a division by zero, a text that is no number.
    #[error("the data made the statement fail: {0}")]
    Query(QueryFault),
    /// The database refuses the statement; it would do so again.
    #[error("the source refused the statement: {0}")]
    Refused(String),
    /// A value is not of its column's catalog type.
    #[error("column {column}{}: {reason}", row.map_or_else(String::new, |row| format!(", row {row}")))]
    Value {
        /// The column's name.
        column: String,
        /// The row of the file, from 1, where it is known: not of what is only grouped or ordered by.
        row: Option<u64>,
        /// What was found instead.
        reason: String,
    },
    /// A cell or a row is larger than the reading's limits; it would be so again.
    #[error("{0}")]
    TooLarge(Oversize),
    /// The reader ended without a result, for example by a panic.
    #[error("the source stopped reading before the end")]
    Stopped,
}

/// How the data made a statement fail. Nothing of it is the data's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFault {
    /// The five characters of the SQLSTATE, where the database has them.
    pub sqlstate: Option<String>,
    /// The column, where the database names one.
    pub column: Option<String>,
    /// What the database said, on one line and without the values that it quoted.
    pub reason: String,
    /// Whether another try may succeed.
    pub is_passing: bool,
}

impl fmt::Display for QueryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        match &self.sqlstate {
            Some(code) => write!(f, " (SQLSTATE {code})"),
            None => Ok(()),
        }
    }
}

/// The configured sources by name.
#[derive(Clone, Default)]
pub struct Sources {
    by_name: HashMap<String, Arc<dyn Source>>,
}

impl Sources {
    /// Adds a source under the name that datasets use.
    pub fn add(&mut self, name: impl Into<String>, source: Arc<dyn Source>) {
        self.by_name.insert(name.into(), source);
    }

    /// The source of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Source>> {
        self.by_name.get(name)
    }

    /// Opens a snapshot for a plan, of `most_rows` rows or fewer, none of them larger than the limits.
    ///
    /// # Errors
    /// [`SourceError`], as [`Source::open`].
    pub async fn open(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
        sizes: SizeLimits,
        freshness_budget: Duration,
    ) -> Result<Snapshot, SourceError> {
        let source = self.of_plan(plan)?;
        let plan = &*typed(source.as_ref(), plan).await?;
        let guard = SizeGuard::new(sizes);
        let reading = Reading {
            statement: Statement::guarded(plan, source.dialect(), most_rows, &guard),
            columns: plan.columns().to_vec(),
            freshness_budget,
            guard,
        };
        source.open(reading).await
    }

    /// How many rows a plan is expected to give, `most_rows` at most; see [`Source::estimate`] for
    /// `enough`.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn estimate(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
        enough: Option<u64>,
    ) -> Result<Option<RowEstimate>, SourceError> {
        let source = self.of_plan(plan)?;
        let plan = &*typed(source.as_ref(), plan).await?;
        let statement = Statement::new(plan, source.dialect(), most_rows);
        source.estimate(&statement, enough).await
    }

    fn of_plan(&self, plan: &ReportPlan) -> Result<&Arc<dyn Source>, SourceError> {
        let name = &plan.dataset().source;
        self.get(name)
            .ok_or_else(|| SourceError::NotConfigured(name.clone()))
    }

    /// Every source with its name.
    pub fn by_name(&self) -> impl Iterator<Item = (&str, &Arc<dyn Source>)> {
        let sources = self.by_name.iter();
        sources.map(|(name, source)| (name.as_str(), source))
    }
}

/// The plan with the types that its source has. Of a source that refuses to tell them none are known: it will say
/// why when it is asked for the report.
async fn typed<'p>(
    source: &dyn Source,
    plan: &'p ReportPlan,
) -> Result<Cow<'p, ReportPlan>, SourceError> {
    let tenant = plan.dataset().tenant.as_deref().map(tenant_expression);
    let dialect = source.dialect();
    let columns = plan.columns().iter().zip(plan.expressions());
    let predicates = plan.predicates().iter();
    let expressions: Vec<TypedUse<'_>> = columns
        .map(|(column, expression)| (expression, column.kind))
        .chain(predicates.map(|predicate| (&predicate.expression, ColumnKind::Dimension)))
        .map(|(expression, kind)| (expression.for_dialect(dialect), kind))
        .chain(
            tenant
                .as_deref()
                .map(|tenant| (tenant, ColumnKind::Dimension)),
        )
        .collect();
    match source
        .stored_types(&plan.dataset().relation, &expressions)
        .await
    {
        Ok(types) if types == StoredTypes::default() => Ok(Cow::Borrowed(plan)),
        Ok(types) => Ok(Cow::Owned(plan.clone().with_stored_types(types))),
        Err(SourceError::Refused(reason)) => {
            tracing::debug!(reason, "the source does not tell the types of a report");
            Ok(Cow::Borrowed(plan))
        }
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
