//! PostgreSQL as a source, as a ledger and as a store of keys.

mod ledger;
mod source;
