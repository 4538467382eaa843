//! The whole router on real parts: a SQLite ledger, a SQLite source, a bucket that only signs links.
//!
//! Every answer that passes through [`harness`] is held against the OpenAPI document. What needs a
//! worker, a store or a process is tested over the executable, not here.

mod document;
mod edges;
mod exports;
mod following;
mod harness;
mod keys;
mod metrics;
mod refusals;
mod reports;
mod serving;
mod watching;
