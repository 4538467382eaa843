//! The ledger on PostgreSQL: for any number of processes on any number of machines.
//!
//! Every transition is one guarded statement, and what has to happen together is one transaction.
//! The clock is the server's, so that machines need not agree. Calls fail as unavailable while the
//! server is away, within seconds, and work again once it is back.

mod accept;
mod changes;
mod intake;
pub(crate) mod interval;
mod keyed_mutex;
mod ledger;
mod listener;
mod outbox;
mod probe;
mod queue_capacity;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

pub(crate) use self::ledger::PostgresLedger;
