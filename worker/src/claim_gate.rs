//! What may be claimed now: nothing for which this process could not read the rows or store the file.
//!
//! The store and the sources are probed every few seconds, and at once after an attempt that failed for
//! one of them. While the store or every source is away nothing is claimed; while one source of several
//! is, nothing of its datasets. An export that is not claimed has lost nothing: neither an attempt nor
//! its turn. What this knows is about this process alone: another worker may reach what this one does
//! not.

mod outage_report;
mod store_pause;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waybill_ledger::Work;
use waybill_readiness::{Readiness, Unreachable};
use waybill_report::catalog::Catalog;
use waybill_report::source::SourceError;
use waybill_store::BucketError;

use self::outage_report::OutageReport;
use self::store_pause::StorePause;
use crate::attempt::AttemptError;

/// Between two probes while everything answers.
const INTERVAL: Duration = Duration::from_secs(2);
/// Between two probes while something is away.
const AWAY_INTERVAL: Duration = Duration::from_millis(500);
/// How long a report to the ledger may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct ClaimGate {
    readiness: Readiness,
    work: Arc<dyn Work>,
    /// The names of each source's datasets.
    datasets: Arc<HashMap<String, Vec<String>>>,
    claimable: watch::Sender<Claimable>,
    probe_now: Notify,
    store: Mutex<StorePause>,
}

/// What the last probe came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claimable {
    /// There was none since something failed.
    Unknown,
    /// Nothing may be claimed.
    Nothing,
    /// All may be claimed but exports of these datasets.
    AllBut(Vec<String>),
}

impl ClaimGate {
    pub(crate) fn new(readiness: Readiness, work: Arc<dyn Work>, catalog: &Catalog) -> Self {
        let mut datasets = HashMap::<String, Vec<String>>::new();
        for dataset in catalog.datasets() {
            let of_source = datasets.entry(dataset.source.clone()).or_default();
            of_source.push(dataset.name.clone());
        }
        Self {
            readiness,
            work,
            datasets: Arc::new(datasets),
            claimable: watch::Sender::new(Claimable::Unknown),
            probe_now: Notify::new(),
            store: Mutex::default(),
        }
    }

    /// Probes until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut logged = String::new();
        let mut report = OutageReport::new(Arc::clone(&self.work), Arc::clone(&self.datasets));
        loop {
            let away = self.readiness.unreachable().await;
            let pause = self.store.lock().left(Instant::now());
            let text = match pause {
                Some(_) if away.is_empty() => "storage: it failed the last attempts".to_owned(),
                _ => away.to_string(),
            };
            if text != logged {
                if text.is_empty() {
                    tracing::info!("all that exports need is there again; they are claimed");
                } else {
                    tracing::warn!(
                        cause = text,
                        "exports that need what is away are not claimed until it is back"
                    );
                }
                logged = text;
            }
            let claimable = self.claimable_without(&away, pause);
            self.claimable.send_replace(claimable);
            let no_store = away.store.is_some() || pause.is_some();
            let is_away = |source: &str| no_store || away.sources.contains_key(source);
            // A ledger that hangs must not keep this from probing.
            match timeout(REPORT_TIMEOUT, report.update(is_away)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the ledger could not be told what is away");
                }
                Err(_) => tracing::debug!("the ledger hangs; it was not told what is away"),
            }
            let next = match pause {
                Some(left) => left.min(AWAY_INTERVAL),
                None if away.is_empty() => INTERVAL,
                None => AWAY_INTERVAL,
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.probe_now.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    fn claimable_without(&self, away: &Unreachable, pause: Option<Duration>) -> Claimable {
        let all = self.datasets.len();
        if away.store.is_some() || pause.is_some() || (all > 0 && away.sources.len() >= all) {
            return Claimable::Nothing;
        }
        let of_sources = away
            .sources
            .keys()
            .filter_map(|name| self.datasets.get(name));
        Claimable::AllBut(of_sources.flatten().cloned().collect())
    }

    /// Waits until it is known what may be claimed: all but exports of the returned datasets, or `None`
    /// for nothing.
    pub(crate) async fn claimable(&self) -> Option<Vec<String>> {
        let mut claimable = self.claimable.subscribe();
        // An error would be a closed channel, and its sender is here.
        let known = claimable.wait_for(|claimable| *claimable != Claimable::Unknown);
        let known = known.await.ok()?;
        match &*known {
            Claimable::AllBut(datasets) => Some(datasets.clone()),
            Claimable::Unknown | Claimable::Nothing => None,
        }
    }

    /// Waits until something may be claimed.
    pub(crate) async fn opened(&self) {
        let mut claimable = self.claimable.subscribe();
        let opened = claimable.wait_for(|claimable| matches!(claimable, Claimable::AllBut(_)));
        drop(opened.await);
    }

    /// Waits until nothing may be claimed.
    pub(crate) async fn closed(&self) {
        let mut claimable = self.claimable.subscribe();
        let closed = claimable.wait_for(|claimable| *claimable == Claimable::Nothing);
        drop(closed.await);
    }

    /// Hears of a failed attempt: before anything else is claimed, there is a probe.
    pub(crate) fn failed(&self, error: &AttemptError) {
        match error {
            AttemptError::Store(BucketError::Unavailable(_) | BucketError::Misconfigured(_)) => {
                self.store.lock().failed(Instant::now(), Duration::ZERO);
            }
            AttemptError::Store(BucketError::Busy(_, asked)) => {
                self.store.lock().failed(Instant::now(), *asked);
            }
            AttemptError::Source(SourceError::Unavailable(_)) => {}
            _ => return,
        }
        self.claimable.send_replace(Claimable::Unknown);
        self.probe_now.notify_one();
    }

    /// Hears that the store took a file.
    pub(crate) fn stored(&self) {
        *self.store.lock() = StorePause::default();
    }
}
