//! What has to be told after an export ended, whatever becomes of the worker that was to tell it.

use waybill_test_services::exposition::Exposition;
use waybill_test_services::proxy::Step;

use crate::harness::disturbed::Disturbed;
use crate::harness::eventually;

/// A worker looks for what has to be told.
const TAKE: Step = Step::Statement("SET due_at = now() + $1, attempts");

#[tokio::test]
async fn an_end_that_its_worker_could_not_tell_any_more_is_told_by_the_next() {
    let mut server = Disturbed::start(|launch| launch.worker_env("WORKER__LISTEN", "127.0.0.1:0"));
    let trap = server.ledger.hold(TAKE);
    trap.met().await;
    let id = server.submit_rows(1).await;
    server.http().completed(&id).await;
    let untold =
        format!("SELECT event || ' ' || attempts FROM waybill.outbox WHERE export_id = '{id}'");
    let untold = |server: &Disturbed| server.server.services().database().psql(&untold);
    assert_eq!(untold(&server), "completed 0");

    server.server.kill_one("worker-0");
    trap.cut();
    assert_eq!(untold(&server), "completed 0");
    server.server.start_another("worker");
    let worker = server.server.worker_http();
    eventually("the end is told", async || {
        let metrics = worker.get("/metrics").await.expect(200);
        let told = Exposition::read(metrics.text()).sum(
            "waybill_worker_ended_exports_total",
            &[("event", "completed")],
        );
        (told == Some(1.0)).then_some(())
    })
    .await;
    eventually("and told no more", async || {
        untold(&server).is_empty().then_some(())
    })
    .await;
    server.settled().await;
}
