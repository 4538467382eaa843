//! What SQLite itself does about values that are too large, and how it says so.

use rusqlite::limits::Limit;
use rusqlite::{Connection, Error, ErrorCode};

use super::error::reading_error;
use super::refusal;
use crate::size::{Oversize, SizeLimits};
use crate::source::engine::Reading;
use crate::source::error::SourceError;

/// More than what a record has besides its texts: a header and values of fixed width.
const OVERHEAD: usize = 1024 * 1024;

/// Has SQLite refuse longer values before it reads them. A row that is sorted is one value, in which
/// a text may stand twice: as what is ordered by and as what is selected.
pub(super) fn limit(connection: &Connection, limits: SizeLimits) -> rusqlite::Result<()> {
    let most = longest(limits);
    connection
        .set_limit(
            Limit::SQLITE_LIMIT_LENGTH,
            i32::try_from(most).unwrap_or(i32::MAX),
        )
        .map(drop)
}

fn longest(limits: SizeLimits) -> usize {
    limits.intermediate.max(limits.row * 2) + OVERHEAD
}

/// As [`reading_error`], of a report: what is too large is no fault of its statement.
pub(super) fn read_error(error: Error, reading: &Reading) -> SourceError {
    let limits = reading.limits;
    let oversize = match &error {
        Error::SqliteFailure(code, _) if code.code == ErrorCode::TooBig => Some(Oversize {
            column: None,
            limit: longest(limits),
            size: None,
        }),
        Error::SqliteFailure(_, Some(text)) => refused(text, reading),
        _ => None,
    };
    oversize.map_or_else(|| reading_error(error), SourceError::TooLarge)
}

fn refused(text: &str, reading: &Reading) -> Option<Oversize> {
    let (column, size) = refusal::of_oversize(text)?;
    Some(Oversize {
        column: Some(reading.columns().get(column)?.name.clone()),
        limit: reading.limits.cell,
        size,
    })
}
