//! `kill -9` of a worker at every step: another one takes over and ends the export.

use waybill_test_services::proxy::{Proxy, Step, Trap};

use super::{CLAIM, PUBLISH};
use crate::harness::disturbed::Disturbed;
use crate::harness::launch::Launch;

/// A worker falls silent for no longer than this before another takes over.
fn short_leases(launch: Launch) -> Launch {
    launch.env("WORKER__LEASE_SECONDS", 2)
}

/// A server whose worker runs an export and is held at a step.
async fn held_at(set: impl FnOnce(&Disturbed) -> Trap) -> (Disturbed, Trap) {
    let server = Disturbed::start(short_leases);
    let trap = set(&server);
    server.submit().await;
    trap.met().await;
    (server, trap)
}

/// Kills the worker that is held, while another one waits.
async fn killed_at(set: impl FnOnce(&Disturbed) -> Trap) -> Disturbed {
    let (mut server, trap) = held_at(set).await;
    server.server.start_another("worker");
    server.server.kill_one("worker-0");
    trap.cut();
    server
}

/// The same at a request to the store, before it arrives.
async fn killed_before(step: Step) -> Disturbed {
    killed_at(|server| server.store.hold(step)).await
}

/// The same once the store has done it, before the worker knows.
async fn killed_after(step: Step) -> Disturbed {
    killed_at(|server| server.store.hold_answer(step)).await
}

#[tokio::test]
async fn at_the_claim() {
    let server = killed_at(|server| server.ledger.hold_answer(CLAIM)).await;
    server.settled().await;
}

#[tokio::test]
async fn at_the_start_of_the_upload() {
    killed_before(Step::UploadBegins).await.settled().await;
}

#[tokio::test]
async fn after_the_start_of_the_upload() {
    let mut server = killed_after(Step::UploadBegins).await;
    server.uploads_may_be_unheard_of(1);
    server.settled().await;
}

#[tokio::test]
async fn at_the_first_part() {
    killed_before(Step::FirstPart).await.settled().await;
}

#[tokio::test]
async fn after_the_first_part() {
    killed_after(Step::FirstPart).await.settled().await;
}

#[tokio::test]
async fn in_mid_stream() {
    killed_after(Step::LaterPart).await.settled().await;
}

#[tokio::test]
async fn after_the_last_part() {
    killed_before(Step::UploadCompletes).await.settled().await;
}

#[tokio::test]
async fn after_the_object_is_there_and_before_it_is_published() {
    killed_after(Step::UploadCompletes).await.settled().await;
}

#[tokio::test]
async fn at_the_publication() {
    let server = killed_at(|server| server.ledger.hold(PUBLISH)).await;
    server.settled().await;
}

#[tokio::test]
async fn after_the_publication() {
    let server = killed_at(|server| server.ledger.hold_answer(PUBLISH)).await;
    let exports = server.settled().await;
    assert_eq!(
        exports[0]["attempt"], 1,
        "it was published, and is not made again"
    );
}

/// What a worker does that slept through the end of its lease: it is stopped at the step, and goes on
/// once another one has published.
async fn late_at(way: fn(&Disturbed) -> &Proxy, step: Step) -> Disturbed {
    let (mut server, trap) = held_at(|server| way(server).hold(step)).await;
    server.server.signal_one("worker-0", "STOP");
    server.server.start_another("worker");
    server.completed().await;
    trap.go_on();
    server.server.signal_one("worker-0", "CONT");
    server
}

#[tokio::test]
async fn a_worker_that_wakes_up_too_late_publishes_nothing() {
    let server = late_at(|server| &server.ledger, PUBLISH).await;
    server.settled().await;
}

#[tokio::test]
async fn a_worker_that_wakes_up_too_late_leaves_no_object() {
    let server = late_at(|server| &server.store, Step::UploadCompletes).await;
    server.settled().await;
}

#[tokio::test]
async fn a_worker_that_wakes_up_too_late_leaves_no_part() {
    let mut server = late_at(|server| &server.store, Step::UploadBegins).await;
    // It may hear of its lost lease before it hears of its upload.
    server.uploads_may_be_unheard_of(1);
    server.settled().await;
}
