//! Ends exports that outages kept from running for too long.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::Upkeep;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;
use crate::verdict::given_up;

pub(super) struct GiveUp {
    upkeep: Arc<dyn Upkeep>,
    after: Duration,
    given_up: Counter,
}

impl GiveUp {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            after: with.exports.give_up_after(),
            given_up: registered_counter(
                &with.metrics,
                "rescue_given_up_exports",
                "Exports that this process gave up because what they need was away for too long",
            ),
        }
    }
}

#[async_trait]
impl Task for GiveUp {
    fn name(&self) -> &'static str {
        "give_up"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let failure = given_up(self.after);
        for id in self.upkeep.give_up(self.after, &failure).await? {
            tracing::error!(export_id = %id, code = failure.code.name(), "export failed: what it needs was away for too long");
            self.given_up.inc();
        }
        Ok(())
    }
}
