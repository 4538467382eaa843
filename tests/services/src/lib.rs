//! The real servers that tests and benchmarks run against, started for one process and gone with it,
//! and independent readers of what processes tell of themselves and of the SQL that they write.
//!
//! Nothing of the product is linked in, and nothing here is ever installed: what is missing on the
//! machine is named in the panic that it causes.

#![deny(missing_docs)]

pub mod exposition;
pub mod hostile;
pub mod memory;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod s3;
pub mod sql_tokens;
pub mod watch;
