//! Deliveries: apalis hands out wake-ups, each of which makes the exporter ask the ledger for work.
//!
//! Nothing about an export depends on what apalis thinks of a task: it is told that every delivery
//! went well, and retries, order and fairness are the ledger's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BackendExt, Data, WorkerBuilder, WorkerBuilderExt, WorkerError};
use apalis_sqlite::{Config, SqliteStorage};
use futures::stream::{BoxStream, Stream, StreamExt, poll_fn, unfold};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use waybill_shared::ledger::Ledger;
use waybill_shared::queue::{ExportTask, QUEUE};

use crate::WorkerParts;
use crate::exporter::Exporter;

/// Looks at the queue this often even when nothing was heard: delayed tasks come by time alone.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Before a delivery loop that ended, for example by an outage of the database, starts anew.
const RESTART_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Deliveries {
    exporter: Arc<Exporter>,
    running: TaskTracker,
}

/// Takes deliveries until the shutdown.
pub(crate) async fn deliver(
    parts: &WorkerParts,
    exporter: &Arc<Exporter>,
    running: &TaskTracker,
    shutdown: CancellationToken,
) {
    let deliveries = Deliveries {
        exporter: Arc::clone(exporter),
        running: running.clone(),
    };
    while !shutdown.is_cancelled() {
        if let Err(error) = run_once(parts, deliveries.clone(), shutdown.clone()).await {
            tracing::warn!(%error, "deliveries stopped; starting again");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(RESTART_DELAY) => {}
        }
    }
}

async fn run_once(
    parts: &WorkerParts,
    deliveries: Deliveries,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let config = Config::default()
        .queue(QUEUE)
        // More would be held back from other workers while this one is busy.
        .batch_size(1)
        // Between fetched and done a task needs no third state: leases are the ledger's.
        .lock_tasks(false);
    let storage = SqliteStorage::<ExportTask>::new(&parts.queue)
        .with_config(config)
        .poll_with_stream(wake_ups(parts.ledger.as_ref()));
    // A new name each time: what a namesake left running would stay so.
    let name = format!("waybill-{}", Uuid::now_v7().simple());
    let stop = shutdown.clone();
    let worker = WorkerBuilder::new(name)
        .backend(storage)
        .data(deliveries)
        .concurrency(parts.worker.concurrency)
        .build(take)
        .run_until(async move {
            stop.cancelled().await;
            Ok::<(), WorkerError>(())
        });
    tokio::select! {
        // apalis waits for its tasks at the end; ours are waited for by `run`, with a limit.
        () = shutdown.cancelled() => Ok(()),
        ended = worker => ended,
    }
}

async fn take(task: ExportTask, deliveries: Data<Deliveries>) -> Result<(), Infallible> {
    tracing::debug!(pushed_for = task.export_id, "woken");
    let Deliveries { exporter, running } = (*deliveries).clone();
    // A task of its own: apalis polls its handlers and its heartbeat together, and an export that
    // computes would hold up both.
    if let Err(error) = running.spawn(exporter.run_next()).await {
        tracing::error!(%error, "a delivery ended badly");
    }
    Ok(())
}

/// A hint whenever the ledger changed, and a tick in between.
fn wake_ups(ledger: &dyn Ledger) -> BoxStream<'static, ()> {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let hints = unfold(
        (ledger.changes(), ticks),
        |(mut changes, mut ticks)| async {
            tokio::select! {
                change = changes.recv() => {
                    if change == Err(RecvError::Closed) {
                        ticks.tick().await;
                    }
                }
                _ = ticks.tick() => {}
            }
            Some(((), (changes, ticks)))
        },
    );
    asking_again(hints).boxed()
}

/// apalis polls the stream once each time it looks at the queue, and sleeps if the queue was empty.
/// A stream that was ready has not arranged to be woken: without this, a hint that comes while the
/// queue is being read would be the last one until the next heartbeat, 30 s later.
fn asking_again<S: Stream<Item = ()>>(hints: S) -> impl Stream<Item = ()> {
    let mut hints = Box::pin(hints);
    poll_fn(move |context| {
        let polled = hints.as_mut().poll_next(context);
        if polled.is_ready() {
            context.waker().wake_by_ref();
        }
        polled
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use futures::stream::{iter, pending};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_hint_is_followed_by_another_look() {
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        let mut hints = Box::pin(asking_again(iter([(), ()]).chain(pending())));
        for woken in [1, 2] {
            assert_eq!(
                hints.as_mut().poll_next(&mut context),
                Poll::Ready(Some(()))
            );
            assert_eq!(wakes.0.load(Ordering::SeqCst), woken);
        }
        assert_eq!(hints.as_mut().poll_next(&mut context), Poll::Pending);
        assert_eq!(wakes.0.load(Ordering::SeqCst), 2, "nothing to look for");
    }
}
