//! The services that a process runs, from their start to the end of their last request and export.

use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::dependencies::Dependencies;
use crate::error::StartError;

/// The running services of a process.
pub(crate) struct Services<'p> {
    dependencies: &'p Dependencies,
    shutdown: CancellationToken,
    services: JoinSet<std::io::Result<()>>,
    worker: Option<JoinHandle<()>>,
}

impl<'p> Services<'p> {
    /// None yet; all that are added end when the token is cancelled.
    pub(crate) fn new(dependencies: &'p Dependencies, shutdown: CancellationToken) -> Self {
        Self {
            dependencies,
            shutdown,
            services: JoinSet::new(),
            worker: None,
        }
    }

    pub(crate) fn serve_api(&mut self, listener: TcpListener) {
        let serving = waybill_api::serve(listener, self.dependencies.api(), self.shutdown.clone());
        self.services.spawn(serving);
    }

    pub(crate) fn serve_health(&mut self, listener: TcpListener) {
        let dependencies = self.dependencies.health();
        let limits = self.dependencies.config.limits.clone();
        let shutdown = self.shutdown.clone();
        self.services.spawn(async move {
            waybill_api::serve_health(listener, dependencies, &limits, shutdown).await
        });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "its handle is awaited when the services end"
    )]
    pub(crate) fn work(&mut self) {
        let working = waybill_worker::run(self.dependencies.worker(), self.shutdown.clone());
        self.worker = Some(tokio::spawn(working));
    }

    /// A step of the start, while the services so far run on. When the shutdown comes first there are no
    /// more steps; an error ends the services.
    pub(crate) async fn startup(
        &mut self,
        step: impl Future<Output = Result<(), StartError>>,
    ) -> Result<(), StartError> {
        let Some(Err(error)) = self.shutdown.run_until_cancelled(step).await else {
            return Ok(());
        };
        self.shutdown.cancel();
        self.end().await?;
        Err(error)
    }

    /// Runs until the shutdown and then to the end.
    pub(crate) async fn run(mut self) -> Result<(), StartError> {
        self.shutdown.cancelled().await;
        self.end().await?;
        tracing::info!("stopped");
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StartError> {
        let requests = async { while self.services.join_next().await.is_some() {} };
        let grace: Duration = self.dependencies.config.shutdown.grace();
        if tokio::time::timeout(grace, requests).await.is_err() {
            tracing::warn!("requests that outlived the grace were cut off");
        }
        if let Some(worker) = self.worker.take() {
            // It keeps to the grace by itself.
            worker.await.context("the worker")?;
        }
        Ok(())
    }
}
