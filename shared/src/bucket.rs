//! Objects in S3-compatible storage: uploads, links, removal. aws-sdk-s3 and nothing else.
//!
//! It knows keys and bytes, not exports. Every request of this program to a store stands here.

mod upload;

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::presigning::PresigningConfig;
use chrono::{DateTime, SubsecRound as _, Utc};

use crate::config::StorageSettings;

pub use upload::{MAX_PARTS, PART_BYTES, Stored, Upload};

/// The longest life of a presigned URL (signature version 4): seven days.
pub const MAX_LINK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// One bucket, below one prefix.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    /// Signs for the host that clients reach, which may differ from the one that workers reach.
    public_client: Client,
    credentials: Option<SharedCredentialsProvider>,
    name: String,
    prefix: String,
}

/// A link that works until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A presigned GET, for any HTTP client.
    pub url: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

/// Why the store did not do what was asked. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The store does not answer, is overloaded or has an inner fault; worth another try.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store refuses: permissions, a missing bucket, a request it does not know.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The file would need more than [`MAX_PARTS`] parts.
    #[error("the file is larger than {MAX_PARTS} parts of {PART_BYTES} bytes")]
    TooLarge,
}

impl Bucket {
    /// The bucket of this name, reached by these settings. Connects to nothing yet.
    pub async fn new(name: &str, settings: &StorageSettings) -> Self {
        let mut shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .http_client(
                aws_smithy_http_client::Builder::new()
                    .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                        aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                    ))
                    .build_https(),
            );
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
        let client = |endpoint: Option<&str>| {
            let mut builder = aws_sdk_s3::config::Builder::from(&shared)
                .force_path_style(settings.path_style)
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
        }
    }

    /// Creates the bucket if it does not exist.
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn create(&self) -> Result<(), BucketError> {
        let head = self.client.head_bucket().bucket(&self.name).send().await;
        match head {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadBucketError::is_not_found) =>
            {
                let created = self.client.create_bucket().bucket(&self.name).send().await;
                created.map(drop).map_err(bucket_error)
            }
            Err(error) => Err(bucket_error(error)),
        }
    }

    /// Whether the bucket answers.
    ///
    /// # Errors
    /// [`BucketError`] when it does not.
    pub async fn check(&self) -> Result<(), BucketError> {
        let head = self.client.head_bucket().bucket(&self.name).send().await;
        head.map(drop).map_err(bucket_error)
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
        match aborted {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            outcome => outcome.map(drop).map_err(bucket_error),
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
    /// credentials that sign it.
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
        // SigV4 counts whole seconds.
        let now = Utc::now().trunc_subsecs(0);
        let mut valid_for = valid_for.clamp(Duration::from_secs(1), MAX_LINK);
        if let Some(credentials) = self.credentials_expire().await? {
            let left = (credentials - now).to_std().unwrap_or_default();
            valid_for = valid_for.min(left.max(Duration::from_secs(1)));
        }
        let valid_for = Duration::from_secs(valid_for.as_secs());
        let presigning = PresigningConfig::expires_in(valid_for)
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
            .map_err(|error| BucketError::Unavailable(DisplayErrorContext(error).to_string()))?;
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

fn bucket_error<E, R>(error: SdkError<E, R>) -> BucketError
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
    SdkError<E, R>: ProvideErrorMetadata,
{
    let passing = match &error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or_default();
            matches!(
                code,
                "InternalError"
                    | "ServiceUnavailable"
                    | "SlowDown"
                    | "RequestTimeout"
                    | "RequestTimeTooSkewed"
            )
        }
        _ => true,
    };
    let text = DisplayErrorContext(error).to_string();
    if passing {
        BucketError::Unavailable(text)
    } else {
        BucketError::Refused(text)
    }
}
