//! What has to be told after an export changed, until it was told.
//!
//! The change itself writes the event, by a trigger in its own statement (see `migrations/`): there is no
//! event without its change, and no change whose event is lost with a process. Telling it is somebody
//! else's. Accepting an export tells nothing: whoever asked has the answer.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use strum::{EnumIter, EnumString, IntoEnumIterator as _, IntoStaticStr};
use waybill_report::caller::OrgId;

use crate::error::LedgerError;
use crate::export::ExportId;

/// The most events that one call takes or drops.
pub(crate) const BATCH_SIZE: u32 = 100;

/// What happened to an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Event {
    /// Its file is published.
    Completed,
    /// It ended without a file, for good.
    Failed,
    /// Its client stopped it.
    Cancelled,
    /// The file's retention is over.
    Expired,
    /// Its client removed it before any other end, or while it had a file.
    Deleted,
}

impl Event {
    /// Returns every event.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Returns the name in the outbox and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the names of all that this program can tell.
    pub(crate) fn names() -> Vec<&'static str> {
        Self::iter().map(Self::name).collect()
    }
}

/// An event that was taken to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its own id: the same each time it is told, and no other event's.
    pub id: i64,
    /// What happened.
    pub event: Event,
    /// To which export; its record may be gone.
    pub export_id: ExportId,
    /// Whose export.
    pub org: OrgId,
    /// The code of its failure, if it failed.
    pub failure_code: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// How often it was taken, this time included.
    pub attempts: u32,
    /// Who has heard it already.
    pub heard: Vec<String>,
}

/// What has to be told, for whoever tells it. Safe in any number of processes at once.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes events whose time has come, the oldest first and some at a time. For `hold` they are this
    /// caller's: nobody else is given them, unless it dies with them. A later event of an export is not
    /// given before the earlier one is removed.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn take_events(&self, hold: Duration) -> Result<Vec<OutboxEvent>, LedgerError>;

    /// Removes events that everybody has heard.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`]; then they are told again.
    async fn remove_events(&self, ids: &[i64]) -> Result<(), LedgerError>;

    /// Gives an event back that not everybody has heard: it is given out again after the delay, and says
    /// by then who has. Changes nothing once somebody else has taken it.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn postpone_event(
        &self,
        event: &OutboxEvent,
        heard: &[&str],
        delay: Duration,
    ) -> Result<(), LedgerError>;

    /// Drops the oldest events if they happened so long ago, told or not, so that an outbox that nobody
    /// empties does not grow for ever. Some at a time; returns how many.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`].
    async fn drop_events(&self, kept_for: Duration) -> Result<u64, LedgerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for event in Event::all() {
            assert_eq!(event.name().parse(), Ok(event));
        }
        assert_eq!(
            Event::names(),
            ["completed", "failed", "cancelled", "expired", "deleted"]
        );
    }
}
