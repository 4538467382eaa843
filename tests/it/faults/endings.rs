//! Ends that a client or the clock gives to an export, while a worker is anywhere in it: whoever comes
//! first has it, and what nobody wants any more is gone.

use waybill_test_services::proxy::{Step, Trap};

use super::{CLAIM, PUBLISH};
use crate::harness::disturbed::Disturbed;

/// Where a worker is held until the export has ended.
const STEPS: [fn(&Disturbed) -> Trap; 9] = [
    |server| server.ledger.hold_answer(CLAIM),
    |server| server.store.hold(Step::UploadBegins),
    |server| server.store.hold_answer(Step::UploadBegins),
    |server| server.store.hold(Step::FirstPart),
    |server| server.store.hold_answer(Step::FirstPart),
    |server| server.store.hold_answer(Step::LaterPart),
    |server| server.store.hold(Step::UploadCompletes),
    |server| server.store.hold_answer(Step::UploadCompletes),
    |server| server.ledger.hold(PUBLISH),
];

/// Exports that end at each step, and after each one more that their worker is free to make.
async fn ended_at_every_step(end: impl AsyncFn(&Disturbed, &str)) {
    let mut server = Disturbed::start(|launch| launch.env("WORKER__CONCURRENCY", 1));
    for hold in STEPS {
        let trap = hold(&server);
        let id = server.submit().await;
        trap.met().await;
        end(&server, &id).await;
        trap.go_on();
        // Nothing that the worker still sends of it may meet the next trap.
        let next = server.submit_rows(1).await;
        server.http().completed(&next).await;
    }
    // Where a worker stops before it hears of its upload.
    server.uploads_may_be_unheard_of(2);
    let exports = server.settled().await;
    assert_eq!(exports.len(), STEPS.len());
}

#[tokio::test]
async fn a_cancel_at_every_step() {
    ended_at_every_step(Disturbed::cancel).await;
}

#[tokio::test]
async fn a_delete_at_every_step() {
    ended_at_every_step(Disturbed::delete).await;
}

#[tokio::test]
async fn a_cancel_that_comes_after_the_publication_comes_too_late() {
    let server = Disturbed::start(|launch| launch);
    let answer = server.ledger.hold_answer(PUBLISH);
    let id = server.submit().await;
    answer.met().await;
    let problem = server.http().cancel(&id).await;
    problem.problem(409, "export_already_finished");
    answer.go_on();
    server.settled().await;
}

#[tokio::test]
async fn a_delete_that_comes_after_the_publication_removes_the_file() {
    let server = Disturbed::start(|launch| launch);
    let answer = server.ledger.hold_answer(PUBLISH);
    let id = server.submit().await;
    answer.met().await;
    server.delete(&id).await;
    answer.go_on();
    server.settled().await;
}

#[tokio::test]
async fn what_a_killed_worker_left_of_a_cancelled_export_is_removed_by_another() {
    let mut server = Disturbed::start(|launch| launch);
    let part = server.store.hold_answer(Step::LaterPart);
    let id = server.submit().await;
    part.met().await;
    server.server.kill_one("worker-0");
    server.cancel(&id).await;
    server.server.start_another("worker");
    server.settled().await;
}

#[tokio::test]
async fn a_file_that_is_deleted_or_expires_while_the_store_is_gone_goes_when_it_is_back() {
    let server = Disturbed::start(|launch| launch);
    let [deleted, expired, _kept] = [
        server.submit().await,
        server.submit().await,
        server.submit().await,
    ];
    server.completed().await;
    let try_to_remove = server.store.hold(Step::AnyRequest);
    server.delete(&deleted).await;
    server.expire(&expired);
    try_to_remove.met().await;
    server.store.go_away();
    server.recorded(&expired, "status = 'expired'").await;
    server.store.pass();
    server.settled().await;
}
