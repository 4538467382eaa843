//! The ledger in either engine's words: statements and what is bound to them. What an export's
//! states mean is decided elsewhere.

pub(crate) mod lane_row;
pub(crate) mod postgres;
pub(crate) mod row;
pub(crate) mod sqlite;
