//! The one reader behind all who watch: what changed, read once for everybody.
//!
//! A hint of the ledger has the export read at once, together with all others that changed meanwhile.
//! Hints may be lost, so once a second the revisions of everything that is watched are compared, in one
//! statement, and what is behind is read. A ledger that is away or hangs costs time, never the reader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{MissedTickBehavior, sleep, timeout};
use waybill_ledger::export::ExportId;
use waybill_ledger::{Changes, LedgerError};

use super::latest_states::{LatestState, LatestStates};

/// How long a change may go unnoticed that no hint told of.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(1);
/// Between two reads, however many hints come: what changes meanwhile is read together.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// After this a read is given up for the next one: everyone waits for it.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads what changed, for all who watch.
pub(super) struct Reader {
    reads: Arc<dyn Changes>,
    states: Arc<LatestStates>,
}

/// What is to be looked at.
enum Due {
    /// These, of which hints came.
    Hinted(Vec<ExportId>),
    /// Whatever is watched.
    All,
}

impl Reader {
    pub(super) fn new(reads: Arc<dyn Changes>, states: Arc<LatestStates>) -> Self {
        Self { reads, states }
    }

    /// Reads for ever. The receiver was made before anybody watched, so that no hint comes too early.
    pub(super) async fn run(self, mut changes: Receiver<ExportId>) {
        let mut clock = tokio::time::interval(RECONCILE_INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = tokio::select! {
                hint = changes.recv() => match hint {
                    Ok(id) => self.hinted(id, &mut changes),
                    // Anybody's hints may be among the lost.
                    Err(RecvError::Lagged(_)) => Due::All,
                    Err(RecvError::Closed) => {
                        clock.tick().await;
                        Due::All
                    }
                },
                _ = clock.tick() => Due::All,
            };
            let looked = match due {
                Due::Hinted(ids) if ids.is_empty() => continue,
                Due::Hinted(ids) => timeout(READ_TIMEOUT, self.read(&ids)).await,
                Due::All => timeout(READ_TIMEOUT, self.reconcile()).await,
            };
            // What was not read now is behind, and found so by the clock.
            match looked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(cause = %error, "exports cannot be followed at the moment");
                }
                Err(_) => tracing::debug!("the ledger hangs; exports cannot be followed"),
            }
            sleep(DEBOUNCE).await;
        }
    }

    /// Returns what is watched of this hint and of those that came with it.
    fn hinted(&self, first: ExportId, changes: &mut Receiver<ExportId>) -> Due {
        let mut ids = HashSet::from([first]);
        loop {
            match changes.try_recv() {
                Ok(id) => {
                    ids.insert(id);
                }
                Err(TryRecvError::Lagged(_)) => return Due::All,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        ids.retain(|id| self.states.has(*id));
        Due::Hinted(ids.into_iter().collect())
    }

    async fn reconcile(&self) -> Result<(), LedgerError> {
        let begun = Instant::now();
        let known = self.states.known();
        if !known.is_empty() {
            self.catch_up(&known).await?;
        }
        self.states.compared(begun);
        Ok(())
    }

    /// Reads what has another revision than is known.
    async fn catch_up(&self, known: &[(ExportId, Option<i64>)]) -> Result<(), LedgerError> {
        let ids: Vec<ExportId> = known.iter().map(|(id, _)| *id).collect();
        let revisions: HashMap<_, _> = self.reads.revisions(&ids).await?.into_iter().collect();
        let behind = |(id, known): &(ExportId, Option<i64>)| match revisions.get(id) {
            Some(revision) => known.is_none_or(|known| known < *revision),
            None => true,
        };
        let behind: Vec<ExportId> = known
            .iter()
            .filter(|one| behind(one))
            .map(|(id, _)| *id)
            .collect();
        if behind.is_empty() {
            return Ok(());
        }
        self.read(&behind).await
    }

    /// Reads these for everybody.
    async fn read(&self, ids: &[ExportId]) -> Result<(), LedgerError> {
        let mut missing: HashSet<ExportId> = ids.iter().copied().collect();
        for export in self.reads.get_many(ids).await? {
            missing.remove(&export.id);
            self.states
                .show(export.id, LatestState::Export(Arc::new(export)));
        }
        for id in missing {
            self.states.show(id, LatestState::Gone);
        }
        Ok(())
    }
}
