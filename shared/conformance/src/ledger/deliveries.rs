//! Deliveries: each wake-up reaches a handler, in whichever process one waits.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use waybill_ledger::HandBack;
use waybill_ledger::queue::Handler;

use super::exports::{DEADLINE, LEASE, claim, enqueue};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    wake_ups_of_before_and_after_are_delivered(&fresh().await).await;
    a_shutdown_ends_deliveries_though_a_handler_hangs(&fresh().await).await;
}

/// What a handler does.
type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sends a word for each delivery, then does something.
fn handler(
    then: impl Fn() -> Handling + Send + Sync + 'static,
) -> (Handler, mpsc::UnboundedReceiver<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = Arc::new(move || {
        sender.send(()).expect("the test runs");
        then()
    });
    (handler, receiver)
}

async fn delivered(deliveries: &mut mpsc::UnboundedReceiver<()>) {
    let delivery = tokio::time::timeout(DEADLINE, deliveries.recv()).await;
    delivery.expect("a delivery").expect("deliveries go on");
}

async fn stopped(delivering: impl Future<Output = ()>) {
    let stopped = tokio::time::timeout(DEADLINE, delivering).await;
    stopped.expect("it stops");
}

async fn wake_ups_of_before_and_after_are_delivered(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    let shutdown = CancellationToken::new();
    let (handler, mut deliveries) = handler(|| Box::pin(async {}));
    enqueue(ledger, "a", 5).await;
    let delivering = fixture.deliveries.deliver(2, handler, &shutdown);
    let test = async {
        delivered(&mut deliveries).await;
        // By this process and by another one.
        enqueue(ledger, "a", 5).await;
        delivered(&mut deliveries).await;
        enqueue(fixture.other.as_ref(), "a", 5).await;
        delivered(&mut deliveries).await;
        let lease = claim(ledger, LEASE).await.lease;
        let back = ledger.hand_back(&lease, Duration::ZERO, HandBack::Shutdown);
        back.await.expect("held");
        delivered(&mut deliveries).await;
        shutdown.cancel();
    };
    tokio::join!(stopped(delivering), test);
}

async fn a_shutdown_ends_deliveries_though_a_handler_hangs(fixture: &Fixture) {
    let shutdown = CancellationToken::new();
    let (handler, mut deliveries) = handler(|| Box::pin(std::future::pending()));
    let delivering = fixture.deliveries.deliver(1, handler, &shutdown);
    let test = async {
        enqueue(fixture.ledger.as_ref(), "a", 5).await;
        delivered(&mut deliveries).await;
        shutdown.cancel();
    };
    tokio::join!(stopped(delivering), test);
}
