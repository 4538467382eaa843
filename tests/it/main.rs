//! Drives the real `waybill` executable as a client would: over HTTP, parsing what it answers.
//!
//! Written from the contract, not from the code: nothing of the product is linked in. Tests that
//! only read share one server; a test that fills, kills or configures one has its own.

mod crash;
mod downloads;
mod filters;
mod harness;
mod inline;
mod jobs;
mod lists;
mod load;
mod negotiation;
mod openapi;
mod operations;
mod own_data;
mod problems;
mod startup;
