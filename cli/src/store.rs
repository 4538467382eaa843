//! The embedded store: S3 on a folder, reached over HTTP like any other.

mod gate;

use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};
use waybill_api::Gate;
use waybill_shared::bucket::Bucket;
use waybill_shared::config::StorageSettings;

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
    /// Serves the store of this data directory to who passes the gate.
    pub(crate) fn start(data: &DataDir, listener: TcpListener, gate: Gate) -> anyhow::Result<Self> {
        let keys = data.store_keys()?;
        let service = service(&data.store(), &keys)?;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, service, gate, shutdown.clone()));
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

fn service(root: &Path, keys: &KeyPair) -> anyhow::Result<S3Service> {
    std::fs::create_dir_all(root).with_context(|| format!("{}", root.display()))?;
    let files =
        FileSystem::new(root).map_err(|error| anyhow::anyhow!("{}: {error:?}", root.display()))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(
        keys.id.clone(),
        keys.secret.clone(),
    ));
    Ok(builder.build())
}

/// A request ends also when its client is gone, as it does in any other store. One that was given up
/// while it joins parts would leave some of them behind, which nobody can remove.
async fn to_its_end<T: Send + 'static>(answer: impl Future<Output = T> + Send + 'static) -> T {
    let answered = tokio::spawn(answer).await;
    answered.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))
}

/// Serves until `shutdown`, then lets running requests finish.
async fn serve(listener: TcpListener, service: S3Service, gate: Gate, shutdown: CancellationToken) {
    let server = Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(service_fn(move |request| {
        let service = service.clone();
        gate::guarded(gate.clone(), request, |request| {
            to_its_end(service.oneshot(request))
        })
    }));
    let connections = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the store could not accept a connection");
                // Out of file descriptors, most likely: trying at once would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = server
            .serve_connection(TokioIo::new(stream), service.clone())
            .into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection to the store ended badly");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}
