//! A gauge that is read when somebody looks, where the number is kept elsewhere anyway.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// A gauge whose value is asked for at each exposition; it is left out while there is none.
pub struct Sampled<F>(F);

impl<F: Fn() -> Option<u64>> Sampled<F> {
    /// Reads the value by this function, which has to be quick.
    pub fn new(read: F) -> Self {
        Self(read)
    }
}

impl<F: Fn() -> Option<u64>> EncodeMetric for Sampled<F> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match (self.0)() {
            Some(value) => encoder.encode_gauge(&value),
            None => Ok(()),
        }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        (self.0)().is_none()
    }
}

impl<F> fmt::Debug for Sampled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampled")
    }
}
