//! Faults at every step of the pipeline, and the promise that they cost nothing: every accepted export
//! ends in one file with the right bytes, and nothing else remains.

mod endings;
mod events;
mod kills;
mod outages;
mod replica;
mod restarts;
mod setup;
mod soak;

use waybill_test_services::proxy::Step;

/// The ledger's statements that matter here.
const CLAIM: Step = Step::Statement("SET status = 'running', epoch = epoch + 1");
const PUBLISH: Step = Step::Statement("SET status = 'completed'");
