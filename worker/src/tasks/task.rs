//! A recurring task, and how it is repeated.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use waybill_ledger::LedgerError;

use crate::panic::caught;

const USUAL_INTERVAL: Duration = Duration::from_secs(1);

/// What every worker does again and again, and any number of workers at once: each step is guarded by
/// the ledger or does no harm twice.
#[async_trait]
pub(crate) trait Task: Send {
    /// Returns its name in the log.
    fn name(&self) -> &'static str;

    /// Returns the time from the beginning of one run to that of the next, unless it takes longer.
    fn interval(&self) -> Duration {
        USUAL_INTERVAL
    }

    /// Does what there is to do now.
    async fn run(&mut self) -> Result<(), TaskError>;
}

/// Why a run did not do all that there was to do. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("it panicked: {0}")]
    Panic(String),
}

/// Runs a task at once and then in its interval, until the shutdown, whose run it finishes. Says when it
/// begins to fail and when it no longer does; a panic ends one run and not the task.
pub(super) async fn repeat(mut task: Box<dyn Task>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(task.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let ended = caught(task.run()).await;
        let ended = ended.unwrap_or_else(|panic| Err(TaskError::Panic(panic)));
        let name = task.name();
        match (&ended, failing) {
            (Ok(()), false) => {}
            (Ok(()), true) => tracing::info!(task = name, "a task works again"),
            (Err(error), false) => tracing::warn!(task = name, %error, "a task fails"),
            (Err(error), true) => tracing::debug!(task = name, %error, "a task fails still"),
        }
        failing = ended.is_err();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Panics in its first run, fails in its second, and ends the test in its third.
    struct Unlucky {
        runs: Arc<AtomicU32>,
        shutdown: CancellationToken,
    }

    #[async_trait]
    impl Task for Unlucky {
        fn name(&self) -> &'static str {
            "unlucky"
        }

        fn interval(&self) -> Duration {
            Duration::from_millis(1)
        }

        async fn run(&mut self) -> Result<(), TaskError> {
            match self.runs.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("the first time"),
                1 => Err(LedgerError::SchemaOutdated.into()),
                _ => {
                    self.shutdown.cancel();
                    Ok(())
                }
            }
        }
    }

    #[tokio::test]
    async fn neither_a_failure_nor_a_panic_is_the_end_of_a_task() {
        let (runs, shutdown) = (Arc::<AtomicU32>::default(), CancellationToken::new());
        let task = Unlucky {
            runs: Arc::clone(&runs),
            shutdown: shutdown.clone(),
        };
        repeat(Box::new(task), shutdown).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }
}
