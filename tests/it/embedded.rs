//! Drives the real `waybill` executable as a client would: over HTTP, parsing what it answers.
//!
//! Written from the contract, not from the code: nothing of the product is linked in. Tests that
//! only read share one server; a test that fills, kills or configures one has its own.
//!
//! Here the server is `waybill up`, one process on SQLite. The same tests run again in
//! `distributed.rs`.

mod crash;
mod data_faults;
mod documents;
mod downloads;
mod endings;
mod estimates;
mod examples;
mod filters;
mod following;
#[expect(dead_code, reason = "some of it serves the other deployment only")]
mod harness;
mod hostile;
mod inline;
mod jobs;
mod large_cells;
mod lists;
mod load;
mod metrics;
mod negotiation;
mod open_files;
mod openapi;
mod operations;
mod own_data;
mod problems;
mod repetition;
mod routes;
mod slow_clients;
mod startup;
mod store;
mod unread_log;

/// What the servers of these tests are made of.
const DEPLOYMENT: harness::launch::Deployment = harness::launch::Deployment::Embedded;
