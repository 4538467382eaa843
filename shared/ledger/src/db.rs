//! Connections, the clock and the migrations of either engine: what everything that is kept in a
//! database stands on. Knows no export and no key.

pub(crate) mod error;
pub(crate) mod instant;
pub(crate) mod migrations;
pub(crate) mod postgres;
pub(crate) mod sqlite;
