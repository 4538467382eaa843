//! Attempts to answer a report at once.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use waybill_ledger::metrics::ProcessMetrics;

use super::outcome::Outcome;
use crate::answer::attempt::{Attempt, InlineError, Outgrown};

#[derive(Clone, Debug)]
pub(crate) struct InlineMetrics {
    answered: Counter,
    outgrew_rows: Counter,
    outgrew_bytes: Counter,
    outgrew_time: Counter,
    failed: Counter,
    abandoned: Counter,
}

impl InlineMetrics {
    pub(super) fn registered(metrics: &ProcessMetrics) -> Self {
        let family = Family::<Outcome, Counter>::default();
        let counter = |outcome| family.get_or_create_owned(&Outcome { outcome });
        let inline = Self {
            answered: counter("answered"),
            outgrew_rows: counter("outgrew_rows"),
            outgrew_bytes: counter("outgrew_bytes"),
            outgrew_time: counter("outgrew_time"),
            failed: counter("failed"),
            abandoned: counter("abandoned"),
        };
        metrics.register(|registry| {
            registry.register(
                "inline_attempts",
                "Attempts of this process to answer a report at once: answered, given up at a bound on rows, bytes or time, failed, or abandoned by the client",
                family,
            );
        });
        inline
    }

    /// Counts what an attempt comes to.
    pub(crate) async fn counted(
        &self,
        attempt: impl Future<Output = Result<Attempt, InlineError>>,
    ) -> Result<Attempt, InlineError> {
        // Until it ends, it may be dropped: its client is gone.
        let mut end = End(&self.abandoned);
        let attempt = attempt.await;
        end.0 = match &attempt {
            Ok(Attempt::Small(_)) => &self.answered,
            Ok(Attempt::Outgrew(Outgrown::Rows)) => &self.outgrew_rows,
            Ok(Attempt::Outgrew(Outgrown::Bytes | Outgrown::Cell(_))) => &self.outgrew_bytes,
            Ok(Attempt::Outgrew(Outgrown::Time)) => &self.outgrew_time,
            Err(_) => &self.failed,
        };
        attempt
    }

    /// Returns every outcome with its count, as the status shows them.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 6] {
        [
            ("answered", &self.answered),
            ("outgrew_rows", &self.outgrew_rows),
            ("outgrew_bytes", &self.outgrew_bytes),
            ("outgrew_time", &self.outgrew_time),
            ("failed", &self.failed),
            ("abandoned", &self.abandoned),
        ]
        .map(|(outcome, counter)| (outcome, counter.get()))
    }
}

/// What is counted when the attempt is over.
struct End<'m>(&'m Counter);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.inc();
    }
}
