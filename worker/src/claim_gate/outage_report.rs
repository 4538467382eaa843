//! Tells the ledger now and then which sources' exports this process can run and which it cannot, so
//! that waiting for what nobody reaches has an end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waybill_ledger::{LedgerError, SourceOutage, Work};

/// Between two reports.
const INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct OutageReport {
    work: Arc<dyn Work>,
    /// The names of each source's datasets.
    datasets: Arc<HashMap<String, Vec<String>>>,
    /// Since when each source that is away is that.
    since: HashMap<String, Instant>,
    reported: Option<Instant>,
}

impl OutageReport {
    pub(super) fn new(work: Arc<dyn Work>, datasets: Arc<HashMap<String, Vec<String>>>) -> Self {
        Self {
            work,
            datasets,
            since: HashMap::new(),
            reported: None,
        }
    }

    /// Notes which sources are away now, and reports it if it is time to.
    pub(super) async fn update(
        &mut self,
        is_away: impl Fn(&str) -> bool,
    ) -> Result<(), LedgerError> {
        let now = Instant::now();
        for source in self.datasets.keys() {
            if is_away(source) {
                self.since.entry(source.clone()).or_insert(now);
            } else {
                self.since.remove(source);
            }
        }
        if self.reported.is_some_and(|last| now < last + INTERVAL) {
            return Ok(());
        }
        let last = self.reported.replace(now).unwrap_or(now);
        let mut runnable = Vec::new();
        for (source, datasets) in self.datasets.iter() {
            let Some(since) = self.since.get(source) else {
                runnable.push(source.as_str());
                continue;
            };
            let outage = SourceOutage {
                source,
                datasets,
                lasted: now - last.max(*since),
            };
            self.work.count_outage(outage).await?;
        }
        self.work.record_runnable(&runnable).await
    }
}
