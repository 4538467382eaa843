//! How patient requests to a store are.

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;

/// How long a request may take before the store counts as unavailable, and how often it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestPolicy {
    /// Until a connection stands.
    pub(super) connect: Duration,
    /// From the start of one attempt to its answer. A part of 8 MiB passes at 150 kB/s.
    pub(super) attempt: Duration,
    /// The same for the request that joins the parts: S3 may take minutes for thousands of them.
    pub(super) joining: Duration,
    /// Attempts of one request.
    pub(super) attempts: u32,
    /// The longest pause between two attempts.
    pub(super) pause: Duration,
}

pub(super) const POLICY: RequestPolicy = RequestPolicy {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(60),
    joining: Duration::from_secs(300),
    attempts: 3,
    pause: Duration::from_secs(5),
};

impl RequestPolicy {
    /// Returns the timeouts of requests whose attempts may take this long.
    pub(super) fn timeouts(self, attempt: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            // Counts from the start of the request too, so it is no tighter than the attempt.
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .build()
    }

    pub(super) fn retries(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_max_backoff(self.pause)
    }
}
