//! The ledger's numbers: what waits and runs in the whole installation, and how fast it drains.
//!
//! They are read when somebody looks, because any process may change them. Many may look at once, and
//! none of them more often than the database likes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use waybill_telemetry::chain;
use waybill_telemetry::metrics::MetricRegistry;

use crate::backlog::{Backlog, LaneBacklog};
use crate::export::Lane;
use crate::intake::Intake;

/// How long what was read serves.
const CACHED_FOR: Duration = Duration::from_secs(1);
/// How long reading may take.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the backlog, and shows what was read last.
pub(super) struct BacklogMetrics {
    intake: Arc<dyn Intake>,
    latest: tokio::sync::Mutex<Option<Reading>>,
    shown: Arc<ShownBacklog>,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    backlog: Option<Backlog>,
}

impl BacklogMetrics {
    pub(super) fn registered(intake: Arc<dyn Intake>, metrics: &MetricRegistry) -> Self {
        let shown = Arc::<ShownBacklog>::default();
        metrics.register(|registry| registry.register_collector(Box::new(Arc::clone(&shown))));
        Self {
            intake,
            latest: tokio::sync::Mutex::default(),
            shown,
        }
    }

    /// Reads the backlog, or returns the last reading while that serves. Held across the read, so that a crowd
    /// waits for one answer.
    pub(super) async fn read(&self) -> Option<Backlog> {
        let mut latest = self.latest.lock().await;
        if let Some(reading) = *latest
            && reading.at.elapsed() < CACHED_FOR
        {
            return reading.backlog;
        }
        let backlog = self.ask().await;
        self.shown.set(backlog);
        *latest = Some(Reading {
            at: Instant::now(),
            backlog,
        });
        backlog
    }

    async fn ask(&self) -> Option<Backlog> {
        match tokio::time::timeout(READ_TIMEOUT, self.intake.backlog()).await {
            Ok(Ok(backlog)) => Some(backlog),
            Ok(Err(error)) => {
                let error = chain(&error);
                tracing::warn!(error, "the backlog could not be read");
                None
            }
            Err(_) => {
                tracing::warn!("the backlog could not be read in time");
                None
            }
        }
    }
}

/// What was read last; nothing while the ledger is away.
#[derive(Debug, Default)]
struct ShownBacklog(Mutex<Option<Backlog>>);

impl ShownBacklog {
    fn set(&self, backlog: Option<Backlog>) {
        *self.0.lock() = backlog;
    }

    fn get(&self) -> Option<Backlog> {
        *self.0.lock()
    }
}

impl Collector for ShownBacklog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let backlog = self.get();
        let up = u64::from(backlog.is_some());
        encoder
            .encode_descriptor(
                "ledger_up",
                "Whether the ledger answered this process just now (1) or not (0); without an answer the other waybill_ledger metrics are left out.",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&up)?;
        let Some(backlog) = backlog else {
            return Ok(());
        };
        in_lanes(
            &mut encoder,
            "ledger_queued_exports",
            "Exports of the whole installation that wait for a worker; every process tells the same number, so aggregate by max.",
            None,
            |lane| backlog.lane(lane).queued,
        )?;
        in_lanes(
            &mut encoder,
            "ledger_unknown_exports",
            "Queued exports of the whole installation that ask for what the version of this process does not know; aggregate by min: those that nobody runs.",
            None,
            |lane| backlog.lane(lane).unknown,
        )?;
        in_lanes(
            &mut encoder,
            "ledger_running_exports",
            "Exports of the whole installation that a worker has claimed; aggregate by max.",
            None,
            |lane| backlog.lane(lane).running,
        )?;
        in_lanes(
            &mut encoder,
            "ledger_oldest_queued",
            "How long the oldest queued export of the whole installation could have run already, 0 when none waits; aggregate by max.",
            Some(&Unit::Seconds),
            |lane| oldest_seconds(backlog.lane(lane)),
        )?;
        encoder
            .encode_descriptor(
                "ledger_drain_exports_per_second",
                "Exports of the whole installation that workers claimed per second, over the last minute; aggregate by max.",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&backlog.drain_rate().unwrap_or_default())
    }
}

fn oldest_seconds(lane: LaneBacklog) -> f64 {
    lane.oldest.unwrap_or_default().as_secs_f64()
}

/// A gauge with a value for each lane.
fn in_lanes<V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl Fn(Lane) -> V,
) -> fmt::Result {
    let mut gauge = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for lane in Lane::ALL {
        let label = [("lane", lane.name())];
        gauge.encode_family(&label)?.encode_gauge(&value(lane))?;
    }
    Ok(())
}
