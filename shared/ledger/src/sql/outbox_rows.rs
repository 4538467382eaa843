//! The outbox whichever the database: its rows, how one becomes an [`OutboxEvent`], and what both
//! engines say alike.
//!
//! For the words in braces see [`statement`](super::statement).

use std::str::FromStr as _;

use waybill_report::caller::OrgId;

use super::row;
use crate::db::instant::StoredInstant;
use crate::error::LedgerError;
use crate::outbox::{Event, OutboxEvent};

/// Nothing once somebody else has taken it.
pub(crate) const POSTPONE: &str = "
UPDATE {waybill}outbox SET heard = $3, due_at = {now} + $4
WHERE id = $1 AND attempts = $2";

/// Looks at no more than it may drop, however long the outbox is.
pub(crate) const DROP: &str = "
DELETE FROM {waybill}outbox
WHERE id IN (
    SELECT id FROM (SELECT id, occurred_at FROM {waybill}outbox ORDER BY id LIMIT $2) AS oldest
    WHERE occurred_at <= {now} - $1
  )";

/// `T` is what the database keeps instants in.
#[derive(sqlx::FromRow)]
pub(crate) struct OutboxRow<T> {
    id: i64,
    event: String,
    export_id: String,
    org_id: String,
    failure_code: Option<String>,
    occurred_at: T,
    attempts: i32,
    heard: String,
}

impl<T: StoredInstant> TryFrom<OutboxRow<T>> for OutboxEvent {
    type Error = LedgerError;

    fn try_from(row: OutboxRow<T>) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.id,
            event: Event::from_str(&row.event)
                .map_err(|_| LedgerError::Corrupt(format!("event = {:?}", row.event)))?,
            export_id: row::id(&row.export_id)?,
            org: OrgId::new(row.org_id),
            failure_code: row.failure_code,
            occurred_at: row::instant(row.occurred_at)?,
            attempts: row.attempts.unsigned_abs(),
            heard: row.heard.split_whitespace().map(str::to_owned).collect(),
        })
    }
}

/// Returns the events of these rows, the oldest first. One that cannot be read is logged and left out:
/// it keeps no other from being told.
pub(crate) fn readable<T: StoredInstant>(rows: Vec<OutboxRow<T>>) -> Vec<OutboxEvent> {
    let events = rows.into_iter().map(OutboxEvent::try_from);
    let mut events: Vec<_> = events
        .filter_map(|event| {
            event
                .inspect_err(|error| tracing::error!(%error, "an event cannot be read"))
                .ok()
        })
        .collect();
    events.sort_unstable_by_key(|event| event.id);
    events
}
