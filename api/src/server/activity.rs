//! What a connection is at, and until when it may be.
//!
//! Told by its two ends: the [socket](super::stream) says when bytes come, the [service](super::service)
//! when requests come and when they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much longer a connection may stay that was asked to end, so that it can do so in order.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no request, since then; of the last one the client may still be taking the answer.
    Idle { since: Instant },
    /// A request's head is coming, since then.
    Receiving { since: Instant },
    /// So many requests are being answered.
    Answering { requests: usize },
}

/// How long a stage may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For a request's head to come.
    pub(super) read: Duration,
    /// For a connection to be there without a request.
    pub(super) idle: Duration,
}

impl Stage {
    /// Returns when it is over. `None` = it lasts as long as its requests, which have bounds of their own, and
    /// as its client takes what it is [sent](Activity::untaken_until).
    pub(super) fn until(&self, timeouts: &Timeouts, ending: bool) -> Option<Instant> {
        let over = match *self {
            Self::Idle { since } => since + timeouts.idle,
            Self::Receiving { since } => since + timeouts.read,
            Self::Answering { .. } => return None,
        };
        Some(if ending { over + CLOSE_GRACE } else { over })
    }
}

/// The stage of one connection, as its ends tell it; a clone is the same.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Observed>);

#[derive(Debug)]
struct Observed {
    stage: watch::Sender<Stage>,
    /// Whether it is known to be HTTP/2, where bytes come between requests, too.
    multiplexed: AtomicBool,
    began: Instant,
    /// Answers of which a piece was handed out that the client has not taken yet.
    untaken: AtomicUsize,
    /// When a piece was handed out or taken last, in milliseconds since it began. Pieces are many, so
    /// this is no stage that somebody is woken for.
    moved: AtomicU64,
}

impl Activity {
    /// Begins that of a connection that was just opened.
    pub(super) fn begin() -> Self {
        let since = Instant::now();
        Self(Arc::new(Observed {
            stage: watch::Sender::new(Stage::Idle { since }),
            multiplexed: AtomicBool::new(false),
            began: since,
            untaken: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
        }))
    }

    /// Its stages, as they change.
    pub(super) fn stages(&self) -> watch::Receiver<Stage> {
        self.0.stage.subscribe()
    }

    /// Bytes came, which begin a request if there is none.
    pub(super) fn bytes_came(&self) {
        if self.0.multiplexed.load(Ordering::Relaxed) {
            return;
        }
        self.0.stage.send_if_modified(|stage| {
            let idle = matches!(stage, Stage::Idle { .. });
            if idle {
                let since = Instant::now();
                *stage = Stage::Receiving { since };
            }
            idle
        });
    }

    /// Notes that a request's head is there. It is being answered until the value is dropped.
    pub(super) fn request_came(&self, version: Version) -> InFlight {
        if version == Version::HTTP_2 {
            self.0.multiplexed.store(true, Ordering::Relaxed);
        }
        self.0.stage.send_modify(|stage| {
            let others = match *stage {
                Stage::Answering { requests } => requests,
                Stage::Idle { .. } | Stage::Receiving { .. } => 0,
            };
            let requests = others + 1;
            *stage = Stage::Answering { requests };
        });
        InFlight {
            activity: self.clone(),
            untaken: false,
        }
    }

    /// Returns until when the client may take what it was sent last. `None` = nothing waits for it.
    pub(super) fn untaken_until(&self, timeouts: &Timeouts) -> Option<Instant> {
        let untaken = self.0.untaken.load(Ordering::Relaxed) > 0;
        let moved = Duration::from_millis(self.0.moved.load(Ordering::Relaxed));
        untaken.then(|| self.0.began + moved + timeouts.idle)
    }

    fn moved(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis());
        self.0
            .moved
            .store(now.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn request_ended(&self) {
        self.0.stage.send_modify(|stage| {
            *stage = match *stage {
                Stage::Answering { requests } if requests > 1 => Stage::Answering {
                    requests: requests - 1,
                },
                _ => Stage::Idle {
                    since: Instant::now(),
                },
            };
        });
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Activity,
    untaken: bool,
}

impl InFlight {
    /// Notes that a piece of the answer was handed out, to be sent.
    pub(super) fn piece_handed_out(&mut self) {
        if !self.untaken {
            self.untaken = true;
            self.activity.moved();
            self.activity.0.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that there is room for the next piece: the client takes what it is sent.
    pub(super) fn piece_taken(&mut self) {
        if self.untaken {
            self.untaken = false;
            self.activity.moved();
            self.activity.0.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.piece_taken();
        self.activity.request_ended();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        read: Duration::from_secs(10),
        idle: Duration::from_secs(75),
    };

    fn stage(activity: &Activity) -> Stage {
        *activity.stages().borrow()
    }

    /// Seconds that its stage may last from its beginning on.
    fn lasts(activity: &Activity, ending: bool) -> Option<u64> {
        let stage = stage(activity);
        let (Stage::Idle { since } | Stage::Receiving { since }) = stage else {
            assert_eq!(stage.until(&TIMEOUTS, ending), None);
            return None;
        };
        let until = stage.until(&TIMEOUTS, ending)?;
        Some(until.duration_since(since).as_secs())
    }

    #[tokio::test]
    async fn a_request_has_its_time_from_its_first_byte_on() {
        let activity = Activity::begin();
        assert_eq!(lasts(&activity, false), Some(75));
        activity.bytes_came();
        let first = stage(&activity);
        assert_eq!(lasts(&activity, false), Some(10));
        assert_eq!(lasts(&activity, true), Some(11));
        activity.bytes_came();
        assert_eq!(stage(&activity), first, "more bytes win no time");
    }

    #[tokio::test]
    async fn a_connection_is_idle_once_its_last_request_is_answered() {
        let activity = Activity::begin();
        let one = activity.request_came(Version::HTTP_2);
        let other = activity.request_came(Version::HTTP_2);
        activity.bytes_came();
        drop(one);
        assert_eq!(stage(&activity), Stage::Answering { requests: 1 });
        assert_eq!(lasts(&activity, true), None);
        drop(other);
        assert_eq!(lasts(&activity, false), Some(75));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_has_its_time() {
        let activity = Activity::begin();
        let (mut one, mut other) = (
            activity.request_came(Version::HTTP_2),
            activity.request_came(Version::HTTP_2),
        );
        let waits = || activity.untaken_until(&TIMEOUTS).is_some();
        assert!(!waits(), "nothing was sent");
        one.piece_handed_out();
        other.piece_handed_out();
        one.piece_taken();
        assert!(waits(), "the other one's piece");
        drop(other);
        assert!(!waits(), "it is gone");
        one.piece_handed_out();
        let until = activity.untaken_until(&TIMEOUTS).expect("a piece waits");
        assert!(until > Instant::now() + Duration::from_secs(60));
    }

    #[tokio::test]
    async fn bytes_between_requests_mean_something_on_http_1_alone() {
        for (version, begins) in [(Version::HTTP_11, true), (Version::HTTP_2, false)] {
            let activity = Activity::begin();
            drop(activity.request_came(version));
            activity.bytes_came();
            let receiving = matches!(stage(&activity), Stage::Receiving { .. });
            assert_eq!(receiving, begins, "{version:?}");
        }
    }
}
