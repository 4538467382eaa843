//! What every source, ledger and key store must do, as suites that an engine's tests run.
//!
//! Knows no engine: whoever brings one makes an empty database and says how it is written to beside the
//! code under test.

#![deny(missing_docs)]

pub mod keys;
pub mod ledger;
pub mod queries;
pub mod source;
