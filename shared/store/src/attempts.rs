//! Counts the attempts of a request, which are the client's own business otherwise.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

use crate::metrics::StoreMetrics;

/// Watches one request.
#[derive(Debug)]
pub(super) struct Attempts {
    metrics: StoreMetrics,
    began: AtomicBool,
}

impl Attempts {
    pub(super) fn counted_by(metrics: &StoreMetrics) -> Self {
        Self {
            metrics: metrics.clone(),
            began: AtomicBool::new(false),
        }
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.began.swap(true, Ordering::Relaxed) {
            self.metrics.attempted_again();
        }
        Ok(())
    }
}
