//! What may be claimed now: nothing for which this process could not read the rows or store the file.
//!
//! The store and the sources are looked at every few seconds, and at once after an attempt that failed for
//! one of them. While the store or every source is away nothing is claimed; while one source of several is,
//! nothing of its datasets. An export that is not claimed has lost nothing: neither an attempt nor its
//! turn. What this knows is about this process alone: another worker may reach what this one does not. The
//! ledger is told of both, so that waiting for what nobody reaches has an end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waybill_ledger::{Ledger, LedgerError, SourceOutage};
use waybill_readiness::{Readiness, Unreachable};
use waybill_report::catalog::Catalog;
use waybill_report::source::SourceError;
use waybill_store::BucketError;

use crate::attempt::AttemptError;

/// Between two looks while everything answers.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two looks while something is away.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Between two words to the ledger about what can be run and what cannot.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long that may take.
const LONGEST_TELL: Duration = Duration::from_secs(2);
/// How long nothing is claimed after a store that answers has failed an attempt; twice as long after
/// each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct ClaimGate {
    readiness: Readiness,
    ledger: Arc<dyn Ledger>,
    /// The names of each source's datasets.
    datasets: HashMap<String, Vec<String>>,
    open: watch::Sender<Open>,
    look: Notify,
    store: Mutex<StorePause>,
}

/// What the last look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    /// There was none since something failed.
    Unknown,
    /// Nothing may be claimed.
    No,
    /// All may be claimed but exports of these datasets.
    Except(Vec<String>),
}

/// Since when, and for how long, a store that answers is left alone.
#[derive(Debug, Default)]
struct StorePause {
    failures: u32,
    until: Option<Instant>,
}

impl StorePause {
    /// `asked` is the pause that the store itself asks for.
    fn failed(&mut self, now: Instant, asked: Duration) {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause.max(asked).min(LONGEST_PAUSE));
    }

    /// What is left of it.
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

impl ClaimGate {
    pub(crate) fn new(readiness: Readiness, ledger: Arc<dyn Ledger>, catalog: &Catalog) -> Self {
        let mut datasets = HashMap::<String, Vec<String>>::new();
        for dataset in catalog.datasets() {
            let of_source = datasets.entry(dataset.source.clone()).or_default();
            of_source.push(dataset.name.clone());
        }
        Self {
            readiness,
            ledger,
            datasets,
            open: watch::Sender::new(Open::Unknown),
            look: Notify::new(),
            store: Mutex::default(),
        }
    }

    /// Looks until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut told = String::new();
        let mut outages = Outages::default();
        loop {
            let away = self.readiness.unreachable().await;
            let pause = self.store().left(Instant::now());
            let text = match pause {
                Some(_) if away.is_empty() => "storage: it failed the last attempts".to_owned(),
                _ => away.to_string(),
            };
            if text != told {
                if text.is_empty() {
                    tracing::info!("all that exports need is there again; they are claimed");
                } else {
                    tracing::warn!(
                        cause = text,
                        "exports that need what is away are not claimed until it is back"
                    );
                }
                told = text;
            }
            self.open.send_replace(self.claimable_without(&away, pause));
            let no_store = away.store.is_some() || pause.is_some();
            let is_away = |source: &str| no_store || away.sources.contains_key(source);
            // A ledger that hangs must not keep this from looking.
            match timeout(LONGEST_TELL, outages.tell(self, is_away)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the ledger could not be told what is away");
                }
                Err(_) => tracing::debug!("the ledger hangs; it was not told what is away"),
            }
            let next = match pause {
                Some(left) => left.min(LOOK_AGAIN),
                None if away.is_empty() => LOOK_EVERY,
                None => LOOK_AGAIN,
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.look.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    fn claimable_without(&self, away: &Unreachable, pause: Option<Duration>) -> Open {
        let all = self.datasets.len();
        if away.store.is_some() || pause.is_some() || (all > 0 && away.sources.len() >= all) {
            return Open::No;
        }
        let of_sources = away
            .sources
            .keys()
            .filter_map(|name| self.datasets.get(name));
        Open::Except(of_sources.flatten().cloned().collect())
    }

    /// Waits until it is known what may be claimed: all but exports of the returned datasets, or `None`
    /// for nothing.
    pub(crate) async fn claimable(&self) -> Option<Vec<String>> {
        let mut open = self.open.subscribe();
        // An error would be a closed channel, and its sender is here.
        let known = open.wait_for(|open| *open != Open::Unknown).await.ok()?;
        match &*known {
            Open::Except(datasets) => Some(datasets.clone()),
            Open::Unknown | Open::No => None,
        }
    }

    /// Waits until something may be claimed.
    pub(crate) async fn opened(&self) {
        let mut open = self.open.subscribe();
        drop(open.wait_for(|open| matches!(open, Open::Except(_))).await);
    }

    /// Waits until nothing may be claimed.
    pub(crate) async fn closed(&self) {
        let mut open = self.open.subscribe();
        drop(open.wait_for(|open| *open == Open::No).await);
    }

    /// Hears of a failed attempt: before anything else is claimed, there is a look.
    pub(crate) fn failed(&self, error: &AttemptError) {
        match error {
            AttemptError::Store(BucketError::Unavailable(_) | BucketError::Misconfigured(_)) => {
                self.store().failed(Instant::now(), Duration::ZERO);
            }
            AttemptError::Store(BucketError::Busy(_, asked)) => {
                self.store().failed(Instant::now(), *asked);
            }
            AttemptError::Source(SourceError::Unavailable(_)) => {}
            _ => return,
        }
        self.open.send_replace(Open::Unknown);
        self.look.notify_one();
    }

    /// Hears that the store took a file.
    pub(crate) fn stored(&self) {
        *self.store() = StorePause::default();
    }

    fn store(&self) -> MutexGuard<'_, StorePause> {
        self.store.lock()
    }
}

/// Which sources' exports cannot be run, and since when, as the ledger is told now and then.
#[derive(Default)]
struct Outages {
    since: HashMap<String, Instant>,
    told: Option<Instant>,
}

impl Outages {
    async fn tell(
        &mut self,
        gate: &ClaimGate,
        is_away: impl Fn(&str) -> bool,
    ) -> Result<(), LedgerError> {
        let now = Instant::now();
        for source in gate.datasets.keys() {
            if is_away(source) {
                self.since.entry(source.clone()).or_insert(now);
            } else {
                self.since.remove(source);
            }
        }
        if self.told.is_some_and(|told| now < told + TELL_EVERY) {
            return Ok(());
        }
        let told = self.told.replace(now).unwrap_or(now);
        let mut runnable = Vec::new();
        for (source, datasets) in &gate.datasets {
            let Some(since) = self.since.get(source) else {
                runnable.push(source.as_str());
                continue;
            };
            let outage = SourceOutage {
                source,
                datasets,
                lasted: now - told.max(*since),
            };
            gate.ledger.count_outage(outage).await?;
        }
        gate.ledger.record_runnable(&runnable).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_the_store_grow_and_are_bounded() {
        let (mut pause, now) = (StorePause::default(), Instant::now());
        assert_eq!(pause.left(now), None);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            pause.failed(now, Duration::ZERO);
            assert_eq!(pause.left(now), Some(Duration::from_secs(seconds)));
            assert_eq!(pause.left(now + LONGEST_PAUSE), None);
        }
        for (asked, left) in [(20, 20), (86_400, 30)] {
            let mut pause = StorePause::default();
            pause.failed(now, Duration::from_secs(asked));
            assert_eq!(pause.left(now), Some(Duration::from_secs(left)));
        }
    }
}
