//! A store or a database that fails, hangs, breaks connections or is gone for a while, and comes back:
//! work resumes by itself, and no export is charged for it.

use serde_json::Value;
use waybill_test_services::proxy::{Proxy, Step, Trap};

use super::PUBLISH;
use crate::harness::disturbed::Disturbed;
use crate::harness::launch::Launch;

/// Leases that outlive what happens here.
pub(super) fn as_it_is(launch: Launch) -> Launch {
    launch
}

/// Ends the test: no failure was counted.
pub(super) async fn uncharged(server: Disturbed) -> Vec<Value> {
    let exports = server.settled().await;
    for export in &exports {
        assert_eq!(export["attempt"], 1, "{export:#}");
    }
    exports
}

/// An export whose worker is held at a step of its upload.
pub(super) async fn held_at(
    set: impl FnOnce(Launch) -> Launch,
    step: Step,
) -> (Disturbed, String, Trap) {
    let server = Disturbed::start(set);
    let trap = server.store.hold(step);
    let id = server.submit().await;
    trap.met().await;
    (server, id, trap)
}

/// The store answers such requests with a status until the worker has given up once.
async fn answered(step: Step, status: u16, retry_after: Option<u64>) {
    let server = Disturbed::start(as_it_is);
    let trap = server.store.answer(step, status, retry_after);
    let id = server.submit().await;
    trap.met().await;
    server
        .recorded(&id, "status = 'queued' AND epoch > 0")
        .await;
    drop(trap);
    uncharged(server).await;
}

#[tokio::test]
async fn a_store_that_fails_to_begin_uploads() {
    answered(Step::UploadBegins, 500, None).await;
}

#[tokio::test]
async fn a_store_that_is_overloaded_by_parts() {
    answered(Step::AnyPart, 503, Some(1)).await;
}

#[tokio::test]
async fn a_store_that_finds_a_part_spoilt() {
    answered(Step::FirstPart, 400, None).await;
}

#[tokio::test]
async fn a_store_that_fails_to_join_the_parts() {
    answered(Step::UploadCompletes, 500, None).await;
}

#[tokio::test]
async fn a_store_that_fails_once_costs_no_second_run() {
    let server = Disturbed::start(as_it_is);
    let trap = server.store.answer(Step::LaterPart, 503, None);
    let id = server.submit().await;
    trap.met().await;
    drop(trap);
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn a_store_that_hangs_for_longer_than_a_lease() {
    let (server, id, part) = held_at(
        |launch| launch.env("WORKER__LEASE_SECONDS", 2),
        Step::LaterPart,
    )
    .await;
    server.store.hang();
    part.go_on();
    server.renewed(&id, 5).await;
    server.store.pass();
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn a_store_that_is_gone_for_a_while() {
    let (server, id, part) = held_at(as_it_is, Step::LaterPart).await;
    server.store.go_away();
    drop(part);
    server.recorded(&id, "status = 'queued'").await;
    server.store.pass();
    uncharged(server).await;
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_is_found_and_not_made_again() {
    let server = Disturbed::start(as_it_is);
    let answer = server.store.hold_answer(Step::UploadCompletes);
    let id = server.submit().await;
    answer.met().await;
    answer.cut();
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn a_byte_that_changes_on_its_way_never_reaches_the_file() {
    for step in [Step::FirstPart, Step::LaterPart] {
        let server = Disturbed::start(as_it_is);
        let spoil = server.store.corrupt(step);
        server.submit().await;
        spoil.met().await;
        uncharged(server).await;
    }
}

#[tokio::test]
async fn a_publication_whose_answer_was_lost_is_one() {
    let server = Disturbed::start(as_it_is);
    let answer = server.ledger.hold_answer(PUBLISH);
    let id = server.submit().await;
    answer.met().await;
    answer.cut();
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

/// An export is held at a step of its upload while every connection of a kind breaks.
async fn cut_at(step: Step, way: fn(&Disturbed) -> &Proxy) -> (Disturbed, String) {
    let (server, id, upload) = held_at(as_it_is, step).await;
    way(&server).cut();
    upload.go_on();
    (server, id)
}

#[tokio::test]
async fn a_ledger_whose_connections_break_costs_no_second_run() {
    let (server, id) = cut_at(Step::FirstPart, |server| &server.ledger).await;
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn a_source_whose_connections_break() {
    // While a part is held, all rows may be read; before the upload begins, only some can be.
    let (server, id) = cut_at(Step::UploadBegins, |server| &server.source).await;
    server.recorded(&id, "epoch > 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn a_source_that_is_gone_for_a_while() {
    let (server, id, upload) = held_at(as_it_is, Step::UploadBegins).await;
    server.source.go_away();
    upload.go_on();
    server.recorded(&id, "status = 'queued'").await;
    server.source.pass();
    uncharged(server).await;
}

#[tokio::test]
async fn a_ledger_that_is_gone_for_longer_than_a_lease() {
    let (server, id, part) = held_at(
        |launch| launch.env("WORKER__LEASE_SECONDS", 2),
        Step::LaterPart,
    )
    .await;
    server.ledger.go_away();
    server.recorded(&id, "lease_expires_at < now()").await;
    part.go_on();
    server.ledger.pass();
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

#[tokio::test]
async fn everything_that_is_gone_for_a_while() {
    let (server, id, part) = held_at(as_it_is, Step::LaterPart).await;
    let all = [&server.ledger, &server.source, &server.store];
    all.into_iter().for_each(Proxy::go_away);
    drop(part);
    let other = server.submit().await;
    all.into_iter().for_each(Proxy::pass);
    server.recorded(&id, "status = 'completed'").await;
    server.recorded(&other, "status = 'completed'").await;
    uncharged(server).await;
}
