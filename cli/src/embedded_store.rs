//! The embedded store: S3 on a folder, reached over HTTP like any other.
//!
//! A request passes [`mod@gate`] and [`mod@front`], then the library that knows S3, then [`objects`].

mod front;
mod gate;
mod objects;
mod range;
mod sweep;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::service_fn;
use waybill_api::Gate;
use waybill_config::{LimitSettings, StorageSettings};
use waybill_store::Bucket;

use self::front::{Front, HoldersOfAKey};
use self::objects::Objects;
use crate::data_dir::{DataDir, KeyPair};

pub(crate) use self::gate::gate;

/// The bucket of the store.
const BUCKET: &str = "waybill";
/// How long the last requests may take at the end: by then there are only idle connections.
const END: Duration = Duration::from_secs(1);

/// A store that is served from a folder, which nobody else may serve.
pub(crate) struct Store {
    keys: KeyPair,
    serving: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Store {
    /// Serves the store of this data directory to who passes the gate, within the bounds that the API has.
    #[expect(
        clippy::disallowed_methods,
        reason = "its handle is awaited when the store stops"
    )]
    pub(crate) fn start(
        data: &DataDir,
        listener: TcpListener,
        gate: Gate,
        limits: &LimitSettings,
    ) -> anyhow::Result<Self> {
        let keys = data.store_keys()?;
        let front = front(&data.store(), &keys)?;
        let shutdown = CancellationToken::new();
        let (limits, until) = (limits.clone(), shutdown.clone());
        let serving = tokio::spawn(async move {
            let service = service_fn(move |request| {
                let front = front.clone();
                gate::guarded(gate.clone(), request, |request| front.answer(request))
            });
            waybill_api::serve_within(listener, service, &limits, until).await;
        });
        Ok(Self {
            keys,
            serving,
            shutdown,
        })
    }

    /// Its bucket, as any client reaches it.
    pub(crate) async fn bucket(
        &self,
        url: &str,
        settings: &StorageSettings,
    ) -> anyhow::Result<Bucket> {
        let settings = StorageSettings {
            endpoint: Some(url.to_owned()),
            access_key_id: Some(self.keys.id.clone()),
            secret_access_key: Some(self.keys.secret.clone().into()),
            path_style: true,
            ..settings.clone()
        };
        let bucket = Bucket::new(BUCKET, &settings).await;
        bucket.create().await.context("the embedded store")?;
        Ok(bucket)
    }

    /// Ends it, after everyone who uses it.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        drop(tokio::time::timeout(END, self.serving).await);
    }
}

fn front(root: &Path, keys: &KeyPair) -> anyhow::Result<Front> {
    std::fs::create_dir_all(root).with_context(|| format!("{}", root.display()))?;
    let swept = sweep::sweep(root).with_context(|| format!("{}", root.display()))?;
    if swept > 0 {
        tracing::info!(
            files = swept,
            "removed what uploads of the last process left"
        );
    }
    let files =
        FileSystem::new(root).map_err(|error| anyhow::anyhow!("{}: {error:?}", root.display()))?;
    let mut builder = S3ServiceBuilder::new(Objects::new(files));
    builder.set_auth(SimpleAuth::from_single(
        keys.id.clone(),
        keys.secret.clone(),
    ));
    builder.set_access(HoldersOfAKey);
    Ok(Front::new(builder.build()))
}
