//! The domain of reports: what may be asked, and how an answer is read and encoded.
//!
//! Knows no ledger, no HTTP and no store. Read it in the order in which a request meets its parts:
//! [`catalog`] → [`query`] → [`spec`] → [`source`] → [`encode`], which [`pipe`] runs.

#![deny(missing_docs)]

pub mod caller;
pub mod catalog;
pub mod check;
pub mod column;
pub mod draft;
pub mod encode;
pub mod failure;
pub mod freshness;
pub mod pipe;
pub mod query;
pub mod size;
pub mod source;
pub mod spec;
