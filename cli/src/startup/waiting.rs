//! Waiting for what is away.

use std::fmt::Display;
use std::time::Duration;

/// Between two checks of something that is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Says what is waited for, once for each cause.
#[derive(Default)]
pub(crate) struct Waiting {
    cause: String,
}

impl Waiting {
    pub(crate) async fn pause(&mut self, what: &str, cause: impl Display) {
        let cause = cause.to_string();
        if self.cause != cause {
            tracing::warn!(cause, "waiting for {what}");
            self.cause = cause;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
