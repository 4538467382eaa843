//! The tests of `embedded.rs` on `waybill api` and `waybill worker` over PostgreSQL and an S3 server,
//! and what only such a set-up can do.

mod commands;
mod compose;
mod crash;
mod data_faults;
mod downloads;
mod drafts;
mod endings;
mod estimates;
mod examples;
mod expiry;
mod faults;
mod filters;
mod following;
#[expect(dead_code, reason = "some of it serves the other deployment only")]
mod harness;
mod health;
mod hostile;
mod inline;
mod installation;
mod jobs;
mod keys;
mod large_cells;
mod lists;
mod load;
mod logs;
mod metrics;
mod metrics_document;
mod negotiation;
mod openapi;
mod operations;
mod outages;
mod own_data;
mod poolers;
mod problems;
mod reach;
mod repetition;
mod routes;
mod scale;
mod slow_clients;
mod stopped_queries;

/// What the servers of these tests are made of.
const DEPLOYMENT: harness::launch::Deployment = harness::launch::Deployment::Distributed;
