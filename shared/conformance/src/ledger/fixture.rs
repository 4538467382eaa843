//! What an engine brings to be tried.

use std::sync::Arc;

use waybill_ledger::Ledger;
use waybill_ledger::database::Database;
use waybill_ledger::queue::Queue;

/// An empty ledger on a database of its own.
pub struct Fixture {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The same as another process has it.
    pub other: Arc<dyn Ledger>,
    /// Delivers the wake-ups of both.
    pub deliveries: Queue,
    /// The tables of the queue of both.
    pub queue: Box<dyn QueueTables>,
}

impl Fixture {
    /// Returns what two processes make of a migrated database.
    #[must_use]
    pub fn of(database: &Database, other: &Database, queue: impl QueueTables + 'static) -> Self {
        Self {
            ledger: Arc::clone(&database.ledger),
            other: Arc::clone(&other.ledger),
            deliveries: database.queue.clone(),
            queue: Box::new(queue),
        }
    }
}

/// The queue's tables, reached beside the ledger.
pub trait QueueTables: Send + Sync {
    /// Counts the wake-ups that were pushed and not removed, also those that are not due.
    fn wake_ups(&self) -> u32;

    /// Removes every wake-up.
    fn lose_wake_ups(&self);

    /// Marks every wake-up as one that was delivered long ago.
    fn age_wake_ups(&self);

    /// Takes the table of wake-ups away, so that none can be pushed.
    fn break_down(&self);
}
