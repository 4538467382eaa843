//! Counts and logs what happened to exports, of the whole installation.

use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_ledger::{Event, OutboxEvent};

use super::listener::{ListenError, Listener};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
}

pub(super) struct EndedExports {
    ended: Family<Labels, Counter>,
}

impl EndedExports {
    pub(super) fn new(metrics: &ProcessMetrics) -> Self {
        let ended = Family::<Labels, Counter>::default();
        // A counter that appears with its first event hides that event from `increase`.
        for event in Event::all() {
            drop(ended.get_or_create(&Labels {
                event: event.name(),
            }));
        }
        metrics.register(|registry| {
            registry.register(
                "worker_ended_exports",
                "Ends of exports that this process told of, whoever made them, each at least once",
                ended.clone(),
            );
        });
        Self { ended }
    }
}

#[async_trait]
impl Listener for EndedExports {
    fn name(&self) -> &'static str {
        "ended_exports"
    }

    fn hears(&self, _: Event) -> bool {
        true
    }

    async fn hear(&self, event: &OutboxEvent) -> Result<(), ListenError> {
        let labels = Labels {
            event: event.event.name(),
        };
        self.ended.get_or_create(&labels).inc();
        tracing::info!(
            event = event.event.name(),
            export_id = %event.export_id,
            org = %event.org,
            code = event.failure_code,
            "export ended"
        );
        Ok(())
    }
}
