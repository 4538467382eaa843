//! The domain of Waybill: what a report is, how it is read, encoded, stored and kept track of.
//!
//! This crate knows no HTTP and no worker. Read it in the order in which an export meets its parts:
//! [`catalog`] → [`query`] → [`statement`] → [`source`] → [`encode`] → [`bucket`], with [`export`],
//! [`ledger`] and [`queue`] for the exports that become jobs.

#![deny(missing_docs)]

pub mod bucket;
pub mod caller;
pub mod catalog;
mod checksum;
pub mod column;
pub mod config;
pub mod database;
mod document;
pub mod encode;
pub mod export;
#[cfg(test)]
mod hostile;
pub mod keys;
pub mod ledger;
pub mod metrics;
pub mod postgres;
pub mod query;
pub mod queue;
pub mod readiness;
pub mod size;
pub mod source;
pub mod statement;
pub mod stored;
pub mod telemetry;
