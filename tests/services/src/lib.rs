//! The real servers that tests and benchmarks run against, started for one process and gone with it.
//!
//! Nothing of the product is linked in, and nothing here is ever installed: what is missing on the
//! machine is named in the panic that it causes.

#![deny(missing_docs)]

pub mod memory;
pub mod postgres;
pub mod proxy;
pub mod s3;
pub mod watch;
