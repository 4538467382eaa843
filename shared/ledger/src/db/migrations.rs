//! The migrations of either engine: ours, after those of the queue.

pub(crate) mod postgres;
mod set;
pub(crate) mod sqlite;
