//! The seam between reports and databases: what a source is asked for and what it gives.

use std::fmt;
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::batches::BatchReceiver;
use super::error::SourceError;
use super::statement::{Dialect, TypedUse};
use super::stored_types::StoredTypes;
use super::tables::{Index, Table};
use crate::catalog::Relation;
use crate::column::Column;
use crate::query::ReportPlan;
use crate::size::SizeLimits;

/// A database that reports are read from.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use waybill_report::caller::{Caller, OrgId, Role};
/// use waybill_report::catalog::Catalog;
/// use waybill_report::query::ReportRequest;
/// use waybill_report::size::SizeLimits;
/// use waybill_report::source::{Reading, Source, sqlite::SqliteSource};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = tempfile::NamedTempFile::new()?;
/// rusqlite::Connection::open(file.path())?.execute_batch(
///     "CREATE TABLE parcels (at TEXT, city TEXT, kg INTEGER);
///      INSERT INTO parcels VALUES ('2026-05-01', 'Genf', 3), ('2026-05-02', 'Genf', 4)",
/// )?;
/// let source: Arc<dyn Source> = Arc::new(SqliteSource::new(file.path()));
/// source.check().await?;
///
/// let catalog = Catalog::parse(r#"
///     [datasets.parcels]
///     table = "parcels"
///     grain = "aggregate"
///     shared = true
///     time = "at"
///     dimensions.city = { sql = "city", type = "string" }
///     measures.kg = { sql = "sum(kg)", type = "integer" }
/// "#)?;
/// let request = ReportRequest::query(br#"{
///     "dataset": "parcels", "dimensions": ["city"], "measures": ["kg"],
///     "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
/// }"#)?;
/// let caller = Caller { org: OrgId::new("ours"), role: Role::Admin, key: None, datasets: None };
/// let plan = catalog.plan(&request, &caller)?;
///
/// let mut snapshot = source.open(Reading {
///     plan,
///     most_rows: 1_000,
///     limits: SizeLimits::of_export(8 << 20),
///     freshness_budget: Duration::ZERO,
/// }).await?;
/// let batch = snapshot.next().await.expect("a row")?;
/// assert_eq!((batch.num_rows(), batch.num_columns()), (1, 2));
/// assert!(snapshot.next().await.is_none());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Source: Send + Sync {
    /// The SQL that it speaks.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Opens a snapshot and starts to read it. Returns once the newest row's instant is known or
    /// its budget is spent; the report's own rows follow through [`Snapshot::next`].
    ///
    /// # Errors
    /// [`SourceError`]. A statement that the database refuses is an error here or of the first
    /// [`Snapshot::next`].
    async fn open(&self, reading: Reading) -> Result<Snapshot, SourceError>;

    /// How many rows a plan is expected to give, `most_rows` at most, by statistics or by a count, at a cost
    /// that is small against reading them. A count ends once it has found more than `enough`, if that is all
    /// that matters. `None` where nothing tells so cheaply.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn estimate(
        &self,
        plan: &ReportPlan,
        most_rows: u64,
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

/// What one source may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// The longest that one statement may run on the server; zero = as long as it takes.
    pub statement_timeout: Duration,
    /// The most connections at a time, 1 or more. Who finds none free waits.
    pub connections: usize,
}

/// One report to be read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What is asked, with the types that the database has.
    pub plan: ReportPlan,
    /// The most rows that are read, and fewer where the plan's own limit is lower.
    pub most_rows: u64,
    /// How large cells and rows may be.
    pub limits: SizeLimits,
    /// The most time that finding the newest row may cost; zero = do not look.
    pub freshness_budget: Duration,
}

impl Reading {
    /// Returns the columns that it gives.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        self.plan.columns()
    }
}

/// A consistent view of the database at one instant. Dropping it stops the query.
pub struct Snapshot {
    /// The instant of the view, read just before it was taken: every row committed until then is in.
    pub materialized_at: DateTime<Utc>,
    /// When the newest row of this dataset and organisation changed, if that was quick to find.
    pub source_updated_at: Option<DateTime<Utc>>,
    pub(super) batches: BatchReceiver,
    /// Dropped with the snapshot; stops the query behind it.
    pub(super) _stop: Box<dyn Send + Sync>,
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
