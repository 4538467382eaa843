//! The ledger on one SQLite file, shared with the queue: for one process on one machine.
//!
//! All writes go through one connection, so none ever finds the file locked; reads have connections
//! of their own (WAL). The clock is the process's, which is the machine's.

mod accept;
mod changes;
mod intake;
mod ledger;
mod outbox;
mod probe;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

pub(crate) use self::ledger::SqliteLedger;
