//! A lane of the backlog, whichever the database, and how it becomes a part of [`Backlog`].

use std::time::Duration;

use super::row::unsigned;
use crate::backlog::{Backlog, LaneBacklog};

/// One lane as a database measures it; spans are in seconds.
#[derive(sqlx::FromRow)]
pub(crate) struct LaneRow {
    large: bool,
    queued: i64,
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
                running: unsigned(row.running),
                oldest: row.oldest.map(|seconds| span(Some(seconds))),
                claimed: unsigned(row.claimed),
                span: span(row.span),
            };
        }
        backlog
    }
}

/// A span that a database measured in seconds.
pub(crate) fn span(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
