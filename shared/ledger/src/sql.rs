//! The ledger in either engine's words: statements and what is bound to them. What follows from them
//! is decided elsewhere.

pub(crate) mod backlog_rows;
pub(crate) mod outbox_rows;
pub(crate) mod postgres;
pub(crate) mod row;
pub(crate) mod sqlite;
pub(crate) mod statement;
mod statements;
