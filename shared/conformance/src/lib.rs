//! What every source, ledger and key store must do, as suites that an engine's tests run.
//!
//! Knows no engine: whoever brings one makes an empty database and says how it is written to beside the
//! code under test. A new engine is a test of its own that calls three functions: [`source::run`] and
//! [`source::properties::run`] for a source, [`ledger::run`] for a ledger, [`keys::run`] for its keys.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use waybill_conformance::source::{self, Backend};
//! use waybill_report::source::Source;
//! use waybill_report::source::sqlite::SqliteSource;
//!
//! /// A database of the engine with the table `things`.
//! struct Things;
//!
//! impl Backend for Things {
//!     fn execute(&self, sql: &str) {
//!         let things = rusqlite::Connection::open("things.sqlite").expect("a database");
//!         things.execute_batch(sql).expect("it runs");
//!     }
//!
//!     fn source(&self) -> Arc<dyn Source> {
//!         Arc::new(SqliteSource::new("things.sqlite"))
//!     }
//!
//!     fn document(text: &str) -> String {
//!         text.to_owned()
//!     }
//!
//!     const UNFIT: (&'static str, &'static str) =
//!         ("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 'many')", "i");
//! }
//!
//! # async fn test() {
//! source::run(async || Things).await;
//! # }
//! ```

#![deny(missing_docs)]

pub mod keys;
pub mod ledger;
pub mod queries;
pub mod source;
