//! What every test stands on: the executable, a client for it, requests to send, and an independent
//! account of what the answer must be.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod disturbed;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod executable;
pub(crate) mod export;
pub(crate) mod http;
pub(crate) mod keys;
pub(crate) mod launch;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod reports;
pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod slow;
pub(crate) mod truth;
pub(crate) mod values;
pub(crate) mod wide;

use std::time::{Duration, Instant};

/// How long a condition may take to come true. Far above what is needed: it bounds a failing test,
/// not a passing one.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Between two looks at a condition.
const INTERVAL: Duration = Duration::from_millis(25);

/// Looks until there is something to see, and returns it. `what` names it in the failure.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, look).await
}

/// As [`eventually`], where how long it may take is part of what is promised.
pub(crate) async fn within<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            started.elapsed() < deadline,
            "waited {deadline:?} in vain: {what}"
        );
        tokio::time::sleep(INTERVAL).await;
    }
}
