//! Ends waits that a clock that was set back has left in a far future.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waybill_ledger::Upkeep;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::verdict::LONGEST_PAUSE;

pub(super) struct UnboundedWaits {
    upkeep: Arc<dyn Upkeep>,
    lease_for: Duration,
}

impl UnboundedWaits {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            lease_for: with.worker.lease(),
        }
    }
}

#[async_trait]
impl Task for UnboundedWaits {
    fn name(&self) -> &'static str {
        "unbounded_waits"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let bounded = self.upkeep.bound_waits(LONGEST_PAUSE, self.lease_for);
        let bounded = bounded.await?;
        if bounded > 0 {
            tracing::warn!(
                exports = bounded,
                "the clock was set back; nothing waits for it to return"
            );
        }
        Ok(())
    }
}
