//! How many rows a report will have, counted while that costs little.
//!
//! SQLite has no planner that would tell. A count reads what the report reads, or only its index, and
//! makes nothing of it, so it takes a small part of the report's time; and it ends when it has taken more
//! than such a part.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::opening::BUSY_TIMEOUT;
use super::running::STEPS_BETWEEN_CHECKS;
use crate::source::engine::RowEstimate;

/// What a count may take on which an answer waits.
const BUDGET: Duration = Duration::from_millis(50);
/// What a count of all rows may take besides for each row that it found: a twentieth of what exporting a
/// row takes.
const BUDGET_OF_ROW: Duration = Duration::from_nanos(300);
/// What it may take however many it found.
const LONGEST: Duration = Duration::from_secs(2);

/// Counts the rows of a statement, which gives `most_rows` at most, all of them or until there
/// are more than `enough`.
pub(super) fn count(
    connection: &Connection,
    sql: &str,
    most_rows: u64,
    enough: Option<u64>,
) -> rusqlite::Result<Option<RowEstimate>> {
    let found = Arc::new(AtomicU64::new(0));
    let budget_of_row = enough.map_or(BUDGET_OF_ROW, |_| Duration::ZERO);
    let is_over = is_over(Instant::now(), budget_of_row, Arc::clone(&found));
    let most = enough.map_or(most_rows, |enough| most_rows.min(enough.saturating_add(1)));
    connection.busy_timeout(BUDGET)?;
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(is_over))?;
    let counted = step(connection, sql, most, &found);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let rows = found.load(Ordering::Relaxed);
    match counted {
        Ok(Ended::WithLast) => Ok(Some(RowEstimate::About(rows))),
        Ok(Ended::Enough) if rows == most_rows => Ok(Some(RowEstimate::About(rows))),
        Ok(Ended::Enough) => Ok(Some(RowEstimate::AtLeast(rows))),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                Ok((rows > 0).then_some(RowEstimate::AtLeast(rows)))
            }
            Some(ErrorCode::DatabaseBusy) => Ok(None),
            _ => Err(error),
        },
    }
}

enum Ended {
    WithLast,
    Enough,
}

fn step(
    connection: &Connection,
    sql: &str,
    most: u64,
    found: &AtomicU64,
) -> rusqlite::Result<Ended> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while count < most {
        if rows.next()?.is_none() {
            return Ok(Ended::WithLast);
        }
        count += 1;
        found.store(count, Ordering::Relaxed);
    }
    Ok(Ended::Enough)
}

fn is_over(
    began: Instant,
    budget_of_row: Duration,
    found: Arc<AtomicU64>,
) -> impl FnMut() -> bool + Send + 'static {
    move || {
        let rows = u32::try_from(found.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let budget = BUDGET + budget_of_row.saturating_mul(rows);
        began.elapsed() > budget.min(LONGEST)
    }
}
