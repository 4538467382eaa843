//! An object store that exports go to, as the benchmark itself uses it.

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// How figures call it.
    pub(crate) name: &'static str,
    /// Its URL.
    pub(crate) endpoint: String,
    /// A client as everybody configures it: no pipelining, no tuning.
    pub(crate) client: Client,
}

/// The region that requests are signed for; no server here cares.
pub(crate) const REGION: &str = "us-east-1";

impl Store {
    pub(crate) fn new(name: &'static str, endpoint: &str) -> Self {
        let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "bench");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(endpoint)
            .credentials_provider(credentials)
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self {
            name,
            endpoint: endpoint.to_owned(),
            client: Client::from_conf(config),
        }
    }

    /// The size of an object.
    pub(crate) async fn size(&self, key: &str) -> anyhow::Result<u64> {
        let head = self.client.head_object().bucket(BUCKET).key(key).send();
        let head = head
            .await
            .with_context(|| format!("there is no object {key}"))?;
        let size = head.content_length().unwrap_or_default();
        Ok(u64::try_from(size)?)
    }

    /// Removes every object, so that no disk is filled and nothing is left to be written back.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        let listed = self.client.list_objects_v2().bucket(BUCKET).send().await;
        let listed = listed.context("the objects cannot be listed")?;
        for object in listed.contents() {
            let key = object.key().unwrap_or_default();
            let deleted = self.client.delete_object().bucket(BUCKET).key(key).send();
            deleted
                .await
                .with_context(|| format!("{key} cannot be deleted"))?;
        }
        Ok(())
    }
}
