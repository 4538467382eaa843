//! What every ledger must do, whichever database it is on.

mod accepting;
mod claims;
mod deliveries;
mod exports;
mod failures;
mod fairness;
mod fixture;
mod outages;
mod outbox;
mod reading;
mod removal;
mod states;
mod upkeep;
mod wake_ups;

pub use self::exports::{heard, new_export, terms};
pub use self::fixture::{Fixture, QueueTables};

/// Runs the suite; `fresh` makes a database with all migrations and no export.
pub async fn run(fresh: impl AsyncFn() -> Fixture) {
    accepting::run(&fresh).await;
    reading::run(&fresh).await;
    claims::run(&fresh).await;
    fairness::run(&fresh).await;
    failures::run(&fresh).await;
    outages::run(&fresh).await;
    removal::run(&fresh).await;
    upkeep::run(&fresh).await;
    wake_ups::run(&fresh).await;
    deliveries::run(&fresh).await;
    outbox::run(&fresh).await;
    states::run(&fresh).await;
}
