//! When to look at the queue: whenever something changed, and by the clock in between.

use std::time::Duration;

use futures::stream::{BoxStream, Stream, StreamExt, poll_fn, unfold};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::MissedTickBehavior;

use crate::export::ExportId;

/// Returns a hint whenever an export changed, and every `interval` in between: delayed tasks come by time
/// alone, and a change may go unheard.
pub(super) fn hints(
    changes: broadcast::Receiver<ExportId>,
    interval: Duration,
) -> BoxStream<'static, ()> {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let hints = unfold((changes, ticks), |(mut changes, mut ticks)| async {
        tokio::select! {
            change = changes.recv() => {
                if change == Err(RecvError::Closed) {
                    ticks.tick().await;
                }
                // One look serves all that changed until now.
                while matches!(changes.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
            }
            _ = ticks.tick() => {}
        }
        Some(((), (changes, ticks)))
    });
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
    use std::sync::Arc;
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
