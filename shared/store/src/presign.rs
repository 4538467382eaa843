//! Links that anybody may follow until they expire.

use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::presigning::PresigningConfig;
use chrono::{DateTime, SubsecRound as _, Utc};
use waybill_telemetry::chain;

use crate::bucket::{Bucket, attachment};
use crate::error::{BucketError, bucket_error};
use crate::limits::MAX_LINK;

/// How long a link may wait for a look at the store's clock.
const CLOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// A link that works until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A presigned GET, for any HTTP client.
    pub url: String,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

impl Bucket {
    /// Returns a link to an object that lives for `valid_for` at most, and never longer than the
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
            drop(tokio::time::timeout(CLOCK_TIMEOUT, self.look_for_bucket()).await);
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

    /// Returns when the credentials that sign expire, if they do.
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
}
