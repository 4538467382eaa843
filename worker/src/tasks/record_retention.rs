//! Removes records of exports that were kept long enough.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::Upkeep;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

pub(super) struct RecordRetention {
    upkeep: Arc<dyn Upkeep>,
    kept_for: Duration,
    purged: Counter,
}

impl RecordRetention {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            kept_for: with.exports.record_retention(),
            purged: registered_counter(
                &with.metrics,
                "rescue_purged_records",
                "Records of exports that this process removed because they were kept long enough",
            ),
        }
    }
}

#[async_trait]
impl Task for RecordRetention {
    fn name(&self) -> &'static str {
        "record_retention"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let purged = self.upkeep.purge(self.kept_for).await?;
        if purged > 0 {
            tracing::info!(exports = purged, "records were kept long enough");
        }
        self.purged.inc_by(purged);
        Ok(())
    }
}
