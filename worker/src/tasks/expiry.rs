//! Ends exports whose file was kept long enough.

use std::sync::Arc;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use waybill_ledger::Upkeep;

use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::metrics::registered_counter;

pub(super) struct Expiry {
    upkeep: Arc<dyn Upkeep>,
    expired: Counter,
}

impl Expiry {
    pub(super) fn new(with: &Dependencies) -> Self {
        Self {
            upkeep: Arc::clone(&with.upkeep),
            expired: registered_counter(
                &with.metrics,
                "rescue_expired_files",
                "Exports whose retention this process found to be over, so that their files go",
            ),
        }
    }
}

#[async_trait]
impl Task for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        let expired = self.upkeep.expire().await?;
        if expired > 0 {
            tracing::info!(exports = expired, "files were kept long enough");
        }
        self.expired.inc_by(expired);
        Ok(())
    }
}
