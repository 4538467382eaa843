//! Objects in S3-compatible storage: uploads, links, removal. aws-sdk-s3 and nothing else.
//!
//! It knows keys and bytes, not exports. Every request of this program to a store stands here or in
//! `upload`; what a failed one means is said by `fault`.

#![deny(missing_docs)]

mod clock;
mod fault;
mod metrics;
#[cfg(test)]
mod tests;
mod tries;
mod upload;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_http_client::tls;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use waybill_config::StorageSettings;
use waybill_telemetry::chain;

use clock::StoreClock;
use fault::bucket_error;

pub use clock::ClockDifference;
pub use fault::BucketError;
pub use metrics::StoreMetrics;
pub use upload::{MAX_PARTS, PART_BYTES, Stored, Upload};

/// The longest life of a presigned URL (signature version 4): seven days.
pub const MAX_LINK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long a link may wait for a look at the store's clock.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// One bucket, below one prefix.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    /// Signs for the host that clients reach, which may differ from the one that workers reach.
    public_client: Client,
    credentials: Option<SharedCredentialsProvider>,
    name: String,
    prefix: String,
    /// Whether TLS protects what is sent, so that a signature need not cover the payload.
    over_tls: bool,
    patience: Patience,
    metrics: StoreMetrics,
    clock: StoreClock,
}

/// How long a request may take before the store counts as unavailable.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Until a connection stands.
    connect: Duration,
    /// From the start of one attempt to its answer. A part of 8 MiB passes at 150 kB/s.
    attempt: Duration,
    /// The same for the request that joins the parts: S3 may take minutes for thousands of them.
    joining: Duration,
    /// Attempts of one request.
    attempts: u32,
    /// The longest pause between two attempts.
    pause: Duration,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(60),
    joining: Duration::from_secs(300),
    attempts: 3,
    pause: Duration::from_secs(5),
};

impl Patience {
    /// Timeouts of requests whose attempts may take this long.
    fn timeouts(self, attempt: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            // Counts from the start of the request too, so it is no tighter than the attempt.
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .build()
    }

    fn retries(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_max_backoff(self.pause)
    }
}

/// A link that works until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A presigned GET, for any HTTP client.
    pub url: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

impl Bucket {
    /// The bucket of this name, reached by these settings. Connects to nothing yet.
    ///
    /// Certificates are checked against those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub async fn new(name: &str, settings: &StorageSettings) -> Self {
        Self::with_patience(name, settings, PATIENCE).await
    }

    async fn with_patience(name: &str, settings: &StorageSettings, patience: Patience) -> Self {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .timeout_config(patience.timeouts(patience.attempt))
            .retry_config(patience.retries())
            .http_client(http_client);
        if let Some((id, secret)) = settings.credentials() {
            shared = shared.credentials_provider(Credentials::new(
                id,
                secret.expose(),
                None,
                None,
                "configuration",
            ));
        }
        let shared = shared.load().await;
        let clock = StoreClock::default();
        let client = |endpoint: Option<&str>| {
            let mut builder = aws_sdk_s3::config::Builder::from(&shared)
                .force_path_style(settings.path_style)
                .interceptor(clock.clone())
                .request_checksum_calculation(if settings.request_checksums {
                    RequestChecksumCalculation::WhenSupported
                } else {
                    RequestChecksumCalculation::WhenRequired
                });
            builder.set_endpoint_url(endpoint.map(str::to_owned));
            Client::from_conf(builder.build())
        };
        let endpoint = settings.endpoint.as_deref();
        Self {
            client: client(endpoint),
            public_client: client(settings.public_endpoint.as_deref().or(endpoint)),
            credentials: shared.credentials_provider(),
            name: name.to_owned(),
            prefix: settings.prefix.clone(),
            over_tls: endpoint.is_none_or(|endpoint| endpoint.starts_with("https://")),
            patience,
            metrics: StoreMetrics::default(),
            clock,
        }
    }

    /// The same bucket, whose uploads are counted here.
    #[must_use]
    pub fn counted_by(self, metrics: StoreMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Creates the bucket if it does not exist.
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn create(&self) -> Result<(), BucketError> {
        if self.exists().await? {
            return Ok(());
        }
        let created = self.client.create_bucket().bucket(&self.name).send().await;
        created.map(drop).map_err(bucket_error)
    }

    /// Whether the bucket answers.
    ///
    /// # Errors
    /// [`BucketError`] when it does not.
    pub async fn check(&self) -> Result<(), BucketError> {
        if self.exists().await? {
            return Ok(());
        }
        let missing = format!("it has no bucket {}", self.name);
        Err(BucketError::Misconfigured(missing))
    }

    /// How far this machine's clock is from the store's, when that is more than 5 minutes; by the answers
    /// to earlier requests.
    #[must_use]
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.clock.too_far()
    }

    /// What the store's clock shows, as far as its answers told: by this it judges signatures.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn exists(&self) -> Result<bool, BucketError> {
        let known = self.clock.difference();
        let answer = self.look_for_bucket().await;
        // The refusal of a HEAD has no body that would say why. Where the answer has just told that the
        // clocks differ, that is why, and the next request is signed accordingly.
        let told = (self.clock.difference() - known).abs() > TimeDelta::minutes(1);
        match answer {
            Err(BucketError::Misconfigured(_)) if told => self.look_for_bucket().await,
            answer => answer,
        }
    }

    async fn look_for_bucket(&self) -> Result<bool, BucketError> {
        let head = self.client.head_bucket().bucket(&self.name).send().await;
        let Err(error) = head else { return Ok(true) };
        let missing = error
            .as_service_error()
            .is_some_and(HeadBucketError::is_not_found);
        if missing {
            Ok(false)
        } else {
            Err(bucket_error(error))
        }
    }

    /// Begins an upload. Nothing is visible under the key until [`Upload::finish`].
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn start_upload(
        &self,
        key: &str,
        content_type: &str,
        filename: &str,
    ) -> Result<Upload, BucketError> {
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(self.full_key(key))
            .content_type(content_type)
            .content_disposition(attachment(filename))
            .send()
            .await
            .map_err(bucket_error)?;
        let id = created
            .upload_id()
            .ok_or_else(|| BucketError::Refused("it began an upload without an id".to_owned()))?;
        Ok(Upload::new(self.clone(), key.to_owned(), id.to_owned()))
    }

    /// Drops an unfinished upload and its parts. One that is gone already is no error.
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn abort_upload(&self, key: &str, upload_id: &str) -> Result<(), BucketError> {
        let aborted = self
            .client
            .abort_multipart_upload()
            .bucket(&self.name)
            .key(self.full_key(key))
            .upload_id(upload_id)
            .send()
            .await;
        let Err(error) = aborted else { return Ok(()) };
        if error.code() == Some("NoSuchUpload") {
            return Ok(());
        }
        match bucket_error(error) {
            // Some stores refuse what they do not know any more.
            BucketError::Refused(_) | BucketError::Misconfigured(_)
                if !self.holds_parts(key, upload_id).await? =>
            {
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Drops every unfinished upload of a key, for which the store is asked for a list. A store that
    /// keeps none is taken to have nothing.
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn abort_uploads(&self, key: &str) -> Result<(), BucketError> {
        let full_key = self.full_key(key);
        let listed = self
            .client
            .list_multipart_uploads()
            .bucket(&self.name)
            .prefix(&full_key)
            .send()
            .await;
        let listed = match listed {
            Err(error) if error.code() == Some("NotImplemented") => return Ok(()),
            listed => listed.map_err(bucket_error)?,
        };
        for upload in listed.uploads() {
            if let (Some(of), Some(id)) = (upload.key(), upload.upload_id())
                && of == full_key
            {
                self.abort_upload(key, id).await?;
            }
        }
        Ok(())
    }

    /// Whether the store keeps parts of an unfinished upload.
    async fn holds_parts(&self, key: &str, upload_id: &str) -> Result<bool, BucketError> {
        let listed = self
            .client
            .list_parts()
            .bucket(&self.name)
            .key(self.full_key(key))
            .upload_id(upload_id)
            .max_parts(1)
            .send()
            .await;
        match listed {
            Ok(listed) => Ok(!listed.parts().is_empty()),
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(false),
            Err(error) => Err(bucket_error(error)),
        }
    }

    /// The size of an object in bytes; `None` when there is none.
    async fn size_of(&self, key: &str) -> Result<Option<u64>, BucketError> {
        let head = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(self.full_key(key))
            .send()
            .await;
        match head {
            Ok(object) => {
                let size = object.content_length();
                Ok(size.and_then(|size| u64::try_from(size).ok()))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadObjectError::is_not_found) =>
            {
                Ok(None)
            }
            Err(error) => Err(bucket_error(error)),
        }
    }

    /// Removes an object. One that is gone already is no error.
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let deleted = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(self.full_key(key))
            .send()
            .await;
        match deleted {
            Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
            outcome => outcome.map(drop).map_err(bucket_error),
        }
    }

    /// A link to an object that lives for `valid_for` at most, and never longer than the
    /// credentials that sign it. It begins now by the store's clock, whatever this machine's shows: a
    /// store takes no link that begins in its future, or that is over by then.
    ///
    /// # Errors
    /// [`BucketError::Unavailable`] when there are no credentials to sign with.
    pub async fn link(
        &self,
        key: &str,
        content_type: &str,
        filename: &str,
        valid_for: Duration,
    ) -> Result<Link, BucketError> {
        if self.clock.is_outdated() {
            // Any answer tells the time, and without one the link is as good as can be.
            drop(tokio::time::timeout(CLOCK_LOOK, self.look_for_bucket()).await);
        }
        // SigV4 counts whole seconds.
        let now = self.clock.now().trunc_subsecs(0);
        let mut valid_for = valid_for.clamp(Duration::from_secs(1), MAX_LINK);
        if let Some(credentials) = self.credentials_expire().await? {
            let left = (credentials - now).to_std().unwrap_or_default();
            valid_for = valid_for.min(left.max(Duration::from_secs(1)));
        }
        let valid_for = Duration::from_secs(valid_for.as_secs());
        let presigning = PresigningConfig::builder()
            .start_time(now.into())
            .expires_in(valid_for)
            .build()
            .map_err(|error| BucketError::Refused(error.to_string()))?;
        let request = self
            .public_client
            .get_object()
            .bucket(&self.name)
            .key(self.full_key(key))
            .response_content_type(content_type)
            .response_content_disposition(attachment(filename))
            .presigned(presigning)
            .await
            .map_err(bucket_error)?;
        Ok(Link {
            url: request.uri().to_owned(),
            expires_at: now + valid_for,
        })
    }

    async fn credentials_expire(&self) -> Result<Option<DateTime<Utc>>, BucketError> {
        let Some(provider) = &self.credentials else {
            return Ok(None);
        };
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| BucketError::Unavailable(chain(&error)))?;
        Ok(credentials.expiry().map(DateTime::from))
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// A `Content-Disposition` (RFC 6266). Names are made by this program: ASCII without quotes.
fn attachment(filename: &str) -> String {
    format!("attachment; filename=\"{filename}\"")
}
