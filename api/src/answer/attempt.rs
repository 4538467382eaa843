//! The attempt to answer a report at once: source → batches → encoder → a buffer with bounds.
//!
//! It ends with a whole file or with the bound that the result outgrew; there is no partial answer.
//! Leaving it early, also because the client is gone, drops the snapshot and so stops the query. It
//! knows neither HTTP nor what is done with a result that is not small.

use std::string::FromUtf8Error;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use waybill_config::{ExportSettings, InlineSettings};
use waybill_report::encode::{EncodeError, Trailer, encoder, slices};
use waybill_report::freshness::freshness_lag;
use waybill_report::query::ReportPlan;
use waybill_report::size::{Oversize, SizeLimits};
use waybill_report::source::{SourceError, Sources};

/// What an answer at once may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    rows: RowBound,
    max_bytes: usize,
    sizes: SizeLimits,
    timeout: Duration,
    freshness_budget: Duration,
}

/// What becomes of a result with more rows than `inline.max_rows`.
#[derive(Clone, Copy, Debug)]
enum RowBound {
    /// It is cut there, and says so.
    CutAt(u64),
    /// It is not small.
    OutgrownAfter(u64),
}

impl Bounds {
    /// For an answer that has to stay within the bounds: rows are cut.
    pub(crate) fn of_query(inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self::new(RowBound::CutAt(inline.max_rows), inline, exports)
    }

    /// For a result that can become a job: nothing is cut.
    pub(crate) fn of_export(inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self::new(RowBound::OutgrownAfter(inline.max_rows), inline, exports)
    }

    fn new(rows: RowBound, inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self {
            rows,
            max_bytes: inline.max_bytes,
            sizes: SizeLimits::of_answer(inline.max_bytes, exports.max_cell_bytes),
            timeout: inline.timeout(),
            freshness_budget: exports.freshness_timeout(),
        }
    }
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The result is small; here it is.
    Small(InlineReport),
    /// It is not.
    Outgrew(Outgrown),
}

/// The bound that a result outgrew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgrown {
    Rows,
    Bytes,
    /// By a single cell or row, whose bytes were not read.
    Cell(Oversize),
    Time,
}

/// A whole report.
#[derive(Debug)]
pub(crate) struct InlineReport {
    /// The file.
    pub(crate) content: String,
    pub(crate) row_count: u64,
    pub(crate) limit_reached: bool,
    /// The instant of the snapshot, to the microsecond, as files and the ledger have it.
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) source_updated_at: Option<DateTime<Utc>>,
    pub(crate) freshness_lag_ms: Option<i64>,
}

/// Why no attempt could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InlineError {
    #[error("reading the report at once failed")]
    Source(#[from] SourceError),
    #[error("encoding the report at once failed")]
    Encode(#[from] EncodeError),
    #[error("the encoded report is not UTF-8")]
    NotText(#[from] FromUtf8Error),
}

/// Reads and encodes a report within bounds.
pub(crate) async fn attempt(
    sources: &Sources,
    plan: &ReportPlan,
    bounds: Bounds,
) -> Result<Attempt, InlineError> {
    match tokio::time::timeout(bounds.timeout, read(sources, plan, bounds)).await {
        // The source is told to stop where the answer ends.
        Ok(Err(InlineError::Source(SourceError::TooLarge(oversize)))) => {
            Ok(Attempt::Outgrew(Outgrown::Cell(oversize)))
        }
        Ok(attempt) => attempt,
        Err(_) => Ok(Attempt::Outgrew(Outgrown::Time)),
    }
}

async fn read(
    sources: &Sources,
    plan: &ReportPlan,
    bounds: Bounds,
) -> Result<Attempt, InlineError> {
    let (most_rows, max_rows) = match bounds.rows {
        RowBound::CutAt(rows) => (rows, rows),
        // One more than is small shows that there is more.
        RowBound::OutgrownAfter(rows) => (rows.saturating_add(1), rows),
    };
    let mut snapshot = sources
        .open(plan, most_rows, bounds.sizes, bounds.freshness_budget)
        .await?;
    let as_of = snapshot.materialized_at.trunc_subsecs(6);
    let source_updated_at = snapshot.source_updated_at;

    let mut encoder = encoder(
        plan.format(),
        plan.columns(),
        as_of,
        plan.dataset().formula_guard,
    );
    let mut content = Vec::new();
    let mut row_count = 0;
    encoder.begin(&mut content);
    while let Some(batch) = snapshot.next().await {
        let batch = batch?;
        row_count += batch.num_rows() as u64;
        if row_count > max_rows {
            return Ok(Attempt::Outgrew(Outgrown::Rows));
        }
        for few in slices(&batch) {
            encoder.write(&few, &mut content)?;
            if content.len() > bounds.max_bytes {
                return Ok(Attempt::Outgrew(Outgrown::Bytes));
            }
        }
    }
    let limit_reached = match bounds.rows {
        RowBound::CutAt(rows) => row_count == plan.limit().map_or(rows, |limit| limit.min(rows)),
        RowBound::OutgrownAfter(_) => plan.limit_reached(row_count),
    };
    let freshness_lag_ms = source_updated_at.map(|updated| lag_ms(updated, Utc::now()));
    let trailer = Trailer {
        limit_reached,
        freshness_lag_ms,
    };
    encoder.finish(&trailer, &mut content);
    if content.len() > bounds.max_bytes {
        return Ok(Attempt::Outgrew(Outgrown::Bytes));
    }
    Ok(Attempt::Small(InlineReport {
        content: String::from_utf8(content)?,
        row_count,
        limit_reached,
        as_of,
        source_updated_at,
        freshness_lag_ms,
    }))
}

/// Milliseconds since the newest source row changed.
pub(crate) fn lag_ms(source_updated_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    i64::try_from(freshness_lag(source_updated_at, now).as_millis()).unwrap_or(i64::MAX)
}
