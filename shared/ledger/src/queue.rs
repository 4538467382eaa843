//! Wake-ups for workers: apalis behind one type, both sides of it.
//!
//! A wake-up carries no work: whoever gets one asks the ledger what to do. So one may come twice, late
//! or not at all, and the ledger pushes another one where it matters. They are pushed in the
//! transaction that makes an export wait; the tables of both are in one database.

mod connection;
mod delivery;
mod hints;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod task;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::connection::QueueConnection;
use crate::changes::Changes;
use crate::error::LedgerError;
use crate::export::ExportId;

pub use self::delivery::Handler;
pub(crate) use self::delivery::Storage;
pub(crate) use self::task::Due;

/// The most wake-ups that are pushed again at once.
pub(crate) const MAX_WAKE_UPS: u32 = 64;
/// Before a delivery loop that ended, for example by an outage of the database, starts anew.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The queue of one database. A clone is the same.
#[derive(Clone)]
pub struct Queue {
    storage: Storage,
    changes: Arc<dyn Changes>,
}

impl Queue {
    /// Returns the queue whose tables are there; of `changes` it hears when to look at them.
    pub(crate) fn new(storage: Storage, changes: Arc<dyn Changes>) -> Self {
        Self { storage, changes }
    }

    /// Pushes a wake-up for an export, in the transaction that makes it wait.
    pub(crate) async fn push(
        transaction: &mut impl QueueConnection,
        export_id: ExportId,
        due: Due,
    ) -> Result<(), LedgerError> {
        transaction.push(export_id, due).await
    }

    /// Counts the wake-ups that wait for a worker.
    pub(crate) async fn count_pending(
        connection: &mut impl QueueConnection,
    ) -> Result<usize, LedgerError> {
        connection.count_pending().await
    }

    /// Removes wake-ups that were delivered some time ago; apalis keeps them for ever.
    pub(crate) async fn remove_delivered(
        connection: &mut impl QueueConnection,
    ) -> Result<(), LedgerError> {
        connection.remove_delivered().await
    }

    /// Calls the handler for each wake-up, at most `concurrency` times at once, until the shutdown. An
    /// outage of the database holds deliveries up and does not end them. The handler must not compute
    /// for long between two awaits: it shares a task with the heartbeat.
    ///
    /// Returns at the shutdown without waiting for handlers. To drop the future stops deliveries, too.
    pub async fn deliver(
        &self,
        concurrency: usize,
        handler: Handler,
        shutdown: &CancellationToken,
    ) {
        while !shutdown.is_cancelled() {
            let (changes, handler) = (self.changes.changes(), Arc::clone(&handler));
            let delivering =
                delivery::deliver_once(&self.storage, changes, concurrency, handler, shutdown);
            if let Err(error) = delivering.await {
                tracing::warn!(%error, "deliveries stopped; starting again");
            }
            shutdown
                .run_until_cancelled(tokio::time::sleep(RESTART_DELAY))
                .await;
        }
    }
}
