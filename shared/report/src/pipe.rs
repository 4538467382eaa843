//! The one way from a plan to the bytes of its file, wherever they go.
//!
//! What differs between an answer at once and a job's object is the [`Tap`] at the end. How many rows are read,
//! how large cells, rows and batches are, what a file says of its limit and of its age is decided here, once.

use std::time::Duration;

use arrow_array::RecordBatch;
use chrono::{DateTime, SubsecRound as _, Utc};

use crate::encode::{EncodeError, Encoder, Trailer, slices};
use crate::freshness::lag_ms;
use crate::query::ReportPlan;
use crate::size::SizeLimits;
use crate::source::{Snapshot, SourceError, Sources};

/// A row of more bytes is handed on in one piece, and let go before it waits.
const LARGE_ROW_BYTES: usize = 1024 * 1024;

/// What becomes of a result with more rows than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowLimit {
    /// It is cut there, and says so.
    CutAt(u64),
    /// It fails with [`PipeError::TooManyRows`].
    FailAfter(u64),
}

impl RowLimit {
    /// Returns how many rows are read: where a result may fail one more, which shows that there are more.
    fn most_read(self) -> u64 {
        match self {
            Self::CutAt(rows) => rows,
            Self::FailAfter(rows) => rows.saturating_add(1),
        }
    }

    /// Returns how many there may be.
    #[must_use]
    pub fn most(self) -> u64 {
        match self {
            Self::CutAt(rows) | Self::FailAfter(rows) => rows,
        }
    }

    /// Returns whether so many rows may not be all.
    fn is_reached(self, plan: &ReportPlan, rows: u64) -> bool {
        match self {
            Self::CutAt(most) => rows == plan.limit().map_or(most, |limit| limit.min(most)),
            Self::FailAfter(_) => plan.limit_reached(rows),
        }
    }
}

/// What one report may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeLimits {
    /// How many rows.
    pub rows: RowLimit,
    /// How large cells, rows and batches, in bytes.
    pub sizes: SizeLimits,
    /// The most time that finding the newest source row may cost; zero = do not look.
    pub freshness_budget: Duration,
}

/// Where the bytes of a file go.
///
/// The pipe appends to [`buffer`](Self::buffer) and lets the tap [`write`](Self::write) after every few hundred
/// kilobytes. A tap that is slow holds up the source; dropping the pipe's future ends the query.
pub trait Tap: Send {
    /// Why the bytes cannot go on.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns where the next bytes are appended.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Takes what was appended, or leaves it there until it is more.
    ///
    /// # Errors
    /// The tap's own; nothing is written after it.
    fn write(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Takes the bytes of a single row that is large.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn append(&mut self, row: &[u8]) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.buffer().extend_from_slice(row);
        self.write()
    }

    /// Hears after every batch how many rows are written.
    fn progress(&mut self, rows: u64) {
        let _ = rows;
    }
}

/// What a whole file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its rows, the header not counted.
    pub row_count: u64,
    /// Whether they may not be all: as many as the query's limit, or as the pipe cut.
    pub limit_reached: bool,
    /// The instant of the snapshot, to the microsecond.
    pub as_of: DateTime<Utc>,
    /// The newest source row in it, where it was quick to find.
    pub source_updated_at: Option<DateTime<Utc>>,
    /// Milliseconds from there to the end of the file; what the file says, if it says anything of it.
    pub freshness_lag_ms: Option<i64>,
}

/// Why there is no whole file.
#[derive(Debug, thiserror::Error)]
pub enum PipeError<E: std::error::Error + Send + Sync + 'static> {
    /// The rows could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A row could not be written in the format.
    #[error("the rows cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// There are more rows than these.
    #[error("the result has more than {0} rows")]
    TooManyRows(u64),
    /// The bytes could not go on.
    #[error(transparent)]
    Tap(E),
}

/// A report whose snapshot is open, before its first row.
///
/// ```
/// use std::{convert::Infallible, future::{Future, ready}, sync::Arc, time::Duration};
///
/// use waybill_report::caller::{Caller, OrgId, Role};
/// use waybill_report::catalog::Catalog;
/// use waybill_report::pipe::{Pipe, PipeLimits, RowLimit, Tap};
/// use waybill_report::query::ReportRequest;
/// use waybill_report::size::SizeLimits;
/// use waybill_report::source::{Sources, sqlite::SqliteSource};
///
/// struct Memory(Vec<u8>);
///
/// impl Tap for Memory {
///     type Error = Infallible;
///
///     fn buffer(&mut self) -> &mut Vec<u8> {
///         &mut self.0
///     }
///
///     fn write(&mut self) -> impl Future<Output = Result<(), Infallible>> + Send {
///         ready(Ok(()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = tempfile::NamedTempFile::new()?;
/// rusqlite::Connection::open(file.path())?.execute_batch(
///     "CREATE TABLE parcels (org TEXT, at TEXT, city TEXT);
///      INSERT INTO parcels VALUES ('ours', '2026-05-01', 'Genf'), ('theirs', '2026-05-01', 'Bern')",
/// )?;
/// let mut sources = Sources::default();
/// sources.add("default", Arc::new(SqliteSource::new(file.path())));
/// let catalog = Catalog::parse(r#"
///     [datasets.parcels]
///     table = "parcels"
///     grain = "row"
///     tenant = "org"
///     time = "at"
///     dimensions.city = { sql = "city", type = "string" }
/// "#)?;
/// let request = ReportRequest::export(br#"{"query": {
///     "dataset": "parcels", "dimensions": ["city"],
///     "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
/// }}"#)?;
/// let caller = Caller { org: OrgId::new("ours"), role: Role::Admin, key: None, datasets: None };
/// let plan = catalog.plan(&request, &caller)?;
///
/// let limits = PipeLimits {
///     rows: RowLimit::FailAfter(1_000),
///     sizes: SizeLimits::of_export(8 << 20),
///     freshness_budget: Duration::ZERO,
/// };
/// let mut memory = Memory(Vec::new());
/// let summary = Pipe::open(&sources, &plan, limits).await?.run(&mut memory).await?;
/// assert_eq!(memory.0, b"city\nGenf\n");
/// assert_eq!(summary.row_count, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pipe<'p> {
    plan: &'p ReportPlan,
    rows: RowLimit,
    snapshot: Snapshot,
}

impl<'p> Pipe<'p> {
    /// Opens the snapshot of a plan, of no more rows and no larger ones than the limits allow.
    ///
    /// # Errors
    /// [`SourceError`], as [`Source::open`](crate::source::Source::open).
    pub async fn open(
        sources: &Sources,
        plan: &'p ReportPlan,
        limits: PipeLimits,
    ) -> Result<Self, SourceError> {
        let most = limits.rows.most_read();
        let opened = sources.open(plan, most, limits.sizes, limits.freshness_budget);
        Ok(Self {
            plan,
            rows: limits.rows,
            snapshot: opened.await?,
        })
    }

    /// Returns the instant of the snapshot, to the microsecond, as files and the ledger have it.
    #[must_use]
    pub fn as_of(&self) -> DateTime<Utc> {
        self.snapshot.materialized_at.trunc_subsecs(6)
    }

    /// Returns when the newest source row in the snapshot changed, where that was quick to find.
    #[must_use]
    pub fn source_updated_at(&self) -> Option<DateTime<Utc>> {
        self.snapshot.source_updated_at
    }

    /// Reads, encodes and hands on every row.
    ///
    /// # Errors
    /// [`PipeError`]; what the tap has by then is no file.
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of the newest row, to a reader of now"
    )]
    pub async fn run<T: Tap>(mut self, tap: &mut T) -> Result<Summary, PipeError<T::Error>> {
        let (as_of, source_updated_at) = (self.as_of(), self.source_updated_at());
        let mut encoder = self.plan.encoder(as_of);
        let mut row_count = 0;
        encoder.begin(tap.buffer());
        while let Some(batch) = self.snapshot.next().await {
            let batch = batch?;
            row_count += batch.num_rows() as u64;
            if row_count > self.rows.most() {
                return Err(PipeError::TooManyRows(self.rows.most()));
            }
            write(batch, encoder.as_mut(), tap).await?;
            tap.progress(row_count);
        }
        let limit_reached = self.rows.is_reached(self.plan, row_count);
        let freshness_lag_ms = source_updated_at.map(|updated| lag_ms(updated, Utc::now()));
        let trailer = Trailer {
            limit_reached,
            freshness_lag_ms,
        };
        encoder.finish(&trailer, tap.buffer())?;
        tap.write().await.map_err(PipeError::Tap)?;
        Ok(Summary {
            row_count,
            limit_reached,
            as_of,
            source_updated_at,
            freshness_lag_ms,
        })
    }
}

async fn write<T: Tap>(
    batch: RecordBatch,
    encoder: &mut dyn Encoder,
    tap: &mut T,
) -> Result<(), PipeError<T::Error>> {
    if batch.num_rows() == 1 && batch.get_array_memory_size() > LARGE_ROW_BYTES {
        // Neither the row as it was read nor a buffer of twice its size waits for the tap.
        let mut row = Vec::new();
        encoder.write(&batch, &mut row)?;
        drop(batch);
        return tap.append(&row).await.map_err(PipeError::Tap);
    }
    // What the tap has too much by then is a few rows, not a whole batch.
    for few in slices(&batch) {
        encoder.write(&few, tap.buffer())?;
        tap.write().await.map_err(PipeError::Tap)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
