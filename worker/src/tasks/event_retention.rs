//! Drops events that could not be told for too long.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::Outbox;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

/// For how long an event is told again and again.
const KEPT_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

pub(super) struct EventRetention {
    outbox: Arc<dyn Outbox>,
    dropped: Counter,
}

impl EventRetention {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            outbox: Arc::clone(&with.outbox),
            dropped: registered_counter(
                &with.metrics,
                "worker_dropped_events",
                "Events of exports that this process dropped because they could not be told for three days",
            ),
        }
    }
}

#[async_trait]
impl Task for EventRetention {
    fn name(&self) -> &'static str {
        "event_retention"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        loop {
            let dropped = self.outbox.drop_events(KEPT_FOR).await?;
            if dropped == 0 {
                return Ok(());
            }
            tracing::error!(
                events = dropped,
                "events of exports were dropped: they could not be told for three days"
            );
            self.dropped.inc_by(dropped);
        }
    }
}
