//! What waits and ends, as a database measures it, and how that becomes a [`Backlog`] or an
//! [`OrgActivity`].

use std::time::Duration;

use super::row::{instant, unsigned};
use crate::backlog::{Backlog, LaneBacklog, OrgActivity};
use crate::db::instant::StoredInstant;
use crate::error::LedgerError;

/// One lane; spans are in seconds.
#[derive(sqlx::FromRow)]
pub(crate) struct LaneRow {
    large: bool,
    queued: i64,
    unknown: i64,
    running: i64,
    oldest: Option<f64>,
    claimed: i64,
    span: Option<f64>,
}

impl From<Vec<LaneRow>> for Backlog {
    fn from(rows: Vec<LaneRow>) -> Self {
        let mut backlog = Self::default();
        for row in rows {
            let lane = if row.large {
                &mut backlog.large
            } else {
                &mut backlog.small
            };
            *lane = LaneBacklog {
                queued: unsigned(row.queued),
                unknown: unsigned(row.unknown),
                running: unsigned(row.running),
                oldest: row.oldest.map(seconds),
                claimed: unsigned(row.claimed),
                span: seconds(row.span.unwrap_or_default()),
            };
        }
        backlog
    }
}

fn seconds(span: f64) -> Duration {
    Duration::try_from_secs_f64(span).unwrap_or_default()
}

/// What an organisation has going; `T` is what the database keeps instants in.
#[derive(sqlx::FromRow)]
pub(crate) struct ActivityRow<T> {
    active: i64,
    ended: i64,
    first_end: Option<T>,
    now: T,
}

impl<T: StoredInstant> TryFrom<ActivityRow<T>> for OrgActivity {
    type Error = LedgerError;

    fn try_from(row: ActivityRow<T>) -> Result<Self, LedgerError> {
        let (first, now) = (row.first_end.map(instant).transpose()?, instant(row.now)?);
        let span = first.and_then(|first| (now - first).to_std().ok());
        Ok(Self {
            active: unsigned(row.active),
            ended: unsigned(row.ended),
            span: span.unwrap_or_default(),
        })
    }
}
