//! Takes exports back from workers that fell silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::{LedgerError, Upkeep};

use super::lease_grace::LeaseGracePeriod;
use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

pub(super) struct LapsedLeases {
    upkeep: Arc<dyn Upkeep>,
    lease_for: Duration,
    /// `None` until the ledger answers for the first time.
    grace: Option<LeaseGracePeriod>,
    lapsed: Counter,
}

impl LapsedLeases {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            lease_for: with.worker.lease(),
            grace: None,
            lapsed: registered_counter(
                &with.metrics,
                "rescue_lapsed_leases",
                "Leases that this process ended because their worker had fallen silent",
            ),
        }
    }

    async fn requeue(&mut self) -> Result<(), LedgerError> {
        let ledger_now = self.upkeep.now().await?;
        let now = Instant::now();
        let grace = self
            .grace
            .get_or_insert_with(|| LeaseGracePeriod::new(self.lease_for, now, ledger_now));
        if grace.is_over(now, ledger_now) {
            for id in self.upkeep.requeue_lapsed(false).await? {
                tracing::warn!(export_id = %id, "the worker of this export fell silent; its claim is over");
                self.lapsed.inc();
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Task for LapsedLeases {
    fn name(&self) -> &'static str {
        "lapsed_leases"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let requeued = self.requeue().await;
        if let (Err(_), Some(grace)) = (&requeued, &mut self.grace) {
            grace.outage();
        }
        Ok(requeued?)
    }
}
