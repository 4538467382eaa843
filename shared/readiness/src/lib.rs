//! Whether a process can do its work now, and what is missing if not.
//!
//! The same for every process, whatever it serves: it asks the database of exports, the store and the
//! sources. It stands beside `api`, `worker` and `cli`, which all need it and do not know each other. How
//! the answer is told, and to whom, is for them.

#![deny(missing_docs)]

mod readiness;
mod requirement;

pub use readiness::Readiness;
pub use requirement::{NotReady, Requirement, Unreachable};
