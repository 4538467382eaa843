//! A wake-up as it lies in apalis' tables, and when it is due.

use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::export::ExportId;

/// The queue's name in apalis' tables.
pub(super) const QUEUE: &str = "waybill.exports";
/// Seconds for which a delivered task is kept; apalis keeps them for ever. Not long: what looks for
/// them reads all that are there.
pub(super) const KEEP_DONE_SECONDS: i32 = 60;
/// Seconds for which a worker that fell silent is kept; apalis keeps them for ever, too.
pub(super) const KEEP_WORKER_SECONDS: i32 = 86_400;

/// A wake-up. The id says for which export it was pushed, for whoever reads the queue's tables;
/// the ledger may well choose another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ExportTask {
    /// Such as `export_0193…`.
    pub(super) export_id: String,
}

/// When a wake-up is delivered. Instants are the ledger's, so that one clock reckons.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// At once; it is this time.
    Now(DateTime<Utc>),
    /// Not before.
    At(DateTime<Utc>),
}

impl Due {
    /// Of an export that waits until `run_after`, which is `delay` from now.
    pub(crate) fn after(delay: Duration, run_after: DateTime<Utc>) -> Self {
        if delay.is_zero() {
            Self::Now(run_after)
        } else {
            Self::At(run_after)
        }
    }

    /// apalis counts whole seconds: a delay is rounded up, so that no wake-up comes before its
    /// export's time and is spent for nothing.
    fn second(self) -> u64 {
        let (Self::Now(instant) | Self::At(instant)) = self;
        let begun = matches!(self, Self::At(_)) && instant.timestamp_subsec_nanos() > 0;
        u64::try_from(instant.timestamp()).unwrap_or_default() + u64::from(begun)
    }
}

/// Encodes a wake-up.
pub(super) fn task(export_id: ExportId, due: Due) -> Result<Task<Vec<u8>>, LedgerError> {
    let task = ExportTask {
        export_id: export_id.to_string(),
    };
    let args = serde_json::to_vec(&task).map_err(|error| LedgerError::Queue(error.into()))?;
    Ok(TaskBuilder::new(args)
        // Retries are the ledger's.
        .max_attempts(1)
        .run_at_timestamp(due.second())
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_now_is_now() {
        let instant = DateTime::from_timestamp_millis(1_500).expect("an instant");
        assert_eq!(Due::after(Duration::ZERO, instant).second(), 1);
        assert_eq!(Due::after(Duration::from_millis(1), instant).second(), 2);
        let whole = DateTime::from_timestamp_millis(2_000).expect("an instant");
        assert_eq!(Due::after(Duration::from_secs(1), whole).second(), 2);
    }
}
