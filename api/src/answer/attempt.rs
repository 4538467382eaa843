//! The attempt to answer a report at once: the pipe, into a buffer with bounds.
//!
//! It ends with a whole file or with the bound that the result outgrew; there is no partial answer.
//! Leaving it early, also because the client is gone, drops the snapshot and so stops the query. It
//! knows neither HTTP nor what is done with a result that is not small.

use std::future::{Future, ready};
use std::time::Duration;

use bytes::Bytes;
use waybill_config::{ExportSettings, InlineSettings};
use waybill_report::encode::EncodeError;
use waybill_report::pipe::{Pipe, PipeError, PipeLimits, RowLimit, Summary, Tap};
use waybill_report::query::ReportPlan;
use waybill_report::size::{Oversize, SizeLimits};
use waybill_report::source::{SourceError, Sources};

/// What an answer at once may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    report: PipeLimits,
    max_bytes: usize,
    timeout: Duration,
}

impl Bounds {
    /// Returns those of an answer that has to stay within them: rows are cut.
    pub(crate) fn of_query(inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self::new(RowLimit::CutAt(inline.max_rows), inline, exports)
    }

    /// Returns those of a result that can become a job: nothing is cut.
    pub(crate) fn of_export(inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self::new(RowLimit::FailAfter(inline.max_rows), inline, exports)
    }

    fn new(rows: RowLimit, inline: &InlineSettings, exports: &ExportSettings) -> Self {
        Self {
            report: PipeLimits {
                rows,
                sizes: SizeLimits::of_answer(inline.max_bytes, exports.max_cell_bytes),
                freshness_budget: exports.freshness_timeout(),
            },
            max_bytes: inline.max_bytes,
            timeout: inline.timeout(),
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
    pub(crate) content: Bytes,
    /// What it is.
    pub(crate) summary: Summary,
}

/// Why no attempt could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InlineError {
    #[error("reading the report at once failed")]
    Source(#[from] SourceError),
    #[error("encoding the report at once failed")]
    Encode(#[from] EncodeError),
}

/// Reads and encodes a report within bounds.
pub(crate) async fn attempt(
    sources: &Sources,
    plan: &ReportPlan,
    bounds: Bounds,
) -> Result<Attempt, InlineError> {
    let mut body = BoundedBody {
        content: Vec::new(),
        max_bytes: bounds.max_bytes,
    };
    let read = async {
        let pipe = Pipe::open(sources, plan, bounds.report).await?;
        pipe.run(&mut body).await
    };
    let outgrown = match tokio::time::timeout(bounds.timeout, read).await {
        Ok(Ok(summary)) => {
            return Ok(Attempt::Small(InlineReport {
                content: body.content.into(),
                summary,
            }));
        }
        // The source is told to stop where the answer ends.
        Ok(Err(PipeError::Source(SourceError::TooLarge(oversize)))) => Outgrown::Cell(oversize),
        Ok(Err(PipeError::Source(error))) => return Err(error.into()),
        Ok(Err(PipeError::Encode(error))) => return Err(error.into()),
        Ok(Err(PipeError::TooManyRows(_))) => Outgrown::Rows,
        Ok(Err(PipeError::Tap(BodyIsFull))) => Outgrown::Bytes,
        Err(_) => Outgrown::Time,
    };
    Ok(Attempt::Outgrew(outgrown))
}

/// A body in memory of so many bytes at most.
struct BoundedBody {
    content: Vec<u8>,
    max_bytes: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the answer has no room for more")]
struct BodyIsFull;

impl Tap for BoundedBody {
    type Error = BodyIsFull;

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.content
    }

    fn write(&mut self) -> impl Future<Output = Result<(), BodyIsFull>> + Send {
        ready(match self.content.len() > self.max_bytes {
            true => Err(BodyIsFull),
            false => Ok(()),
        })
    }
}
