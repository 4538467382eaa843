//! Wakes workers again for exports whose wake-up was lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::Upkeep;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

/// An export that waits for longer without a wake-up on its way gets another one.
const UNDELIVERED_AFTER: Duration = Duration::from_secs(2);

pub(super) struct Redelivery {
    upkeep: Arc<dyn Upkeep>,
    redelivered: Counter,
}

impl Redelivery {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            redelivered: registered_counter(
                &with.metrics,
                "rescue_redelivered_exports",
                "Exports that waited without a wake-up on its way and got another one from this process",
            ),
        }
    }
}

#[async_trait]
impl Task for Redelivery {
    fn name(&self) -> &'static str {
        "redelivery"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let woken = self.upkeep.wake_waiting(UNDELIVERED_AFTER).await?;
        if woken > 0 {
            tracing::debug!(woken, "pushed wake-ups again");
        }
        self.redelivered.inc_by(woken);
        Ok(())
    }
}
