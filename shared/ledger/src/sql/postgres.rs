//! The ledger on PostgreSQL: for any number of processes on any number of machines.
//!
//! Every transition is one guarded statement, and what has to happen together is one transaction.
//! The clock is the server's, so that machines need not agree. Calls fail as unavailable while the
//! server is away, within seconds, and work again once it is back.

mod changes;
mod enqueue;
mod intake;
mod ledger;
mod lines;
mod listener;
mod probe;
mod room;
mod statements;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

pub(crate) use self::ledger::PostgresLedger;
