//! `[storage]`: the object store.

use serde::Deserialize;

use crate::secret::Secret;
use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("storage.endpoint", Rule::HttpUrl),
    setting("storage.public_endpoint", Rule::HttpUrl),
    setting("storage.region", Rule::Text),
    setting("storage.bucket", Rule::Bucket),
    setting("storage.prefix", Rule::Prefix),
    setting("storage.access_key_id", Rule::Text),
    setting("storage.secret_access_key", Rule::Secret),
    setting("storage.path_style", Rule::Boolean),
    setting("storage.request_checksums", Rule::Boolean),
];

/// `[storage]`: the object store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// URL of an S3-compatible store, without a slash at the end; `None` = AWS.
    pub endpoint: Option<String>,
    /// URL of the store in download links, without a slash at the end; `None` = the endpoint.
    pub public_endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: String,
    /// See [`bucket`](crate::Config::bucket).
    pub bucket: Option<String>,
    /// What every object key begins with: empty, or ending in a slash.
    pub prefix: String,
    /// Set together with the secret, or not at all.
    pub access_key_id: Option<String>,
    /// Set together with the key id; `None` = the AWS default chain.
    pub secret_access_key: Option<Secret>,
    /// Whether the bucket stands in the path of a URL instead of the host name.
    pub path_style: bool,
    /// Whether uploads carry the checksums of newer S3 clients.
    pub request_checksums: bool,
}

impl StorageSettings {
    /// Returns the key pair; `None` = the AWS default chain.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        self.access_key_id
            .as_deref()
            .zip(self.secret_access_key.as_ref())
    }
}
