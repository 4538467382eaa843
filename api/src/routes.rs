//! The handlers, one operation a file. Each reads top to bottom what happens to a request; how it is
//! routed is in [`router`](crate::router), how it fails in [`problem`](crate::problem).

pub(crate) mod exports;
pub(crate) mod operations;
pub(crate) mod problems;
pub(crate) mod reports;
