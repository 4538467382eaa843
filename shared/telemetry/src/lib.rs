//! What a process says of itself: its log and its metrics.
//!
//! Logging neither waits nor fails. A line of text holds nothing that ends it or commands a terminal,
//! whatever it tells of: that is seen to here, so that nobody who logs has to. It knows no reports and no
//! HTTP: what is logged and counted is for others to say.
//!
//! ```
//! let cause = std::io::Error::other("no such table\nat line 2");
//! let told = waybill_telemetry::chain(&cause);
//! assert_eq!(
//!     waybill_telemetry::escaped(&told).to_string(),
//!     r"no such table\nat line 2"
//! );
//! ```

#![deny(missing_docs)]

mod chain;
mod escape;
mod lines;
mod log;
pub mod metrics;

pub use chain::chain;
pub use escape::escaped;
pub use lines::{count_lost_line, flush};
pub use log::{LogFormat, LogSettings, init};
