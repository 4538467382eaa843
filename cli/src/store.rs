//! The embedded store: S3 on a folder, reached over HTTP like any other.

use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::data_dir::KeyPair;

/// The service over this folder, which nobody else may serve.
pub(crate) fn service(root: &Path, keys: &KeyPair) -> anyhow::Result<S3Service> {
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

/// Serves until `shutdown`, then lets running requests finish.
pub(crate) async fn serve(listener: TcpListener, service: S3Service, shutdown: CancellationToken) {
    let server = Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the store could not accept a connection");
                // Out of file descriptors, most likely: trying at once would spin.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
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
