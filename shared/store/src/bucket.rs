//! One bucket: reaching it, and what is done to its objects and unfinished uploads by key.

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_smithy_http_client::tls;
use chrono::{DateTime, TimeDelta, Utc};
use waybill_config::StorageSettings;

use crate::clock::{ClockDifference, StoreClock};
use crate::error::{BucketError, bucket_error};
use crate::metrics::StoreMetrics;
use crate::request_policy::{POLICY, RequestPolicy};

/// One bucket, below one prefix.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) client: Client,
    /// Signs for the host that clients reach, which may differ from the one that workers reach.
    pub(super) public_client: Client,
    pub(super) credentials: Option<SharedCredentialsProvider>,
    pub(super) name: String,
    prefix: String,
    /// Whether TLS protects what is sent, so that a signature need not cover the payload.
    pub(super) over_tls: bool,
    pub(super) policy: RequestPolicy,
    pub(super) metrics: StoreMetrics,
    pub(super) clock: StoreClock,
}

impl Bucket {
    /// Returns the bucket of this name, reached by these settings. Connects to nothing yet.
    ///
    /// Certificates are checked against those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub async fn new(name: &str, settings: &StorageSettings) -> Self {
        Self::with_policy(name, settings, POLICY).await
    }

    pub(super) async fn with_policy(
        name: &str,
        settings: &StorageSettings,
        policy: RequestPolicy,
    ) -> Self {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .timeout_config(policy.timeouts(policy.attempt))
            .retry_config(policy.retries())
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
            policy,
            metrics: StoreMetrics::default(),
            clock,
        }
    }

    /// Returns the same bucket, whose uploads are counted here.
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

    /// Asks whether the bucket is there.
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

    /// Returns how far this machine's clock is from the store's, when that is more than 5 minutes; by the answers
    /// to earlier requests.
    #[must_use]
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.clock.too_far()
    }

    /// Returns what the store's clock shows, as far as its answers told: by this it judges signatures.
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

    /// Returns whether the bucket is there; any answer tells the store's time.
    pub(super) async fn look_for_bucket(&self) -> Result<bool, BucketError> {
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

    /// Drops an unfinished upload and its parts. Returns `Ok` if it is absent already.
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

    /// Returns whether the store keeps parts of an unfinished upload.
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

    /// Returns the size of an object in bytes; `None` when there is none.
    pub(super) async fn size_of(&self, key: &str) -> Result<Option<u64>, BucketError> {
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

    /// Removes an object. Returns `Ok` if it is absent already.
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

    /// Returns the key with its prefix.
    pub(super) fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// Returns a `Content-Disposition` (RFC 6266). Names are made by this program: ASCII without quotes.
#[must_use]
pub fn attachment(filename: &str) -> String {
    format!("attachment; filename=\"{filename}\"")
}
