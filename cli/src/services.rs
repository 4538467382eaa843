//! The roles that a process plays, from their start to the end of their last request and export.

use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::dependencies::Parts;
use crate::error::StartFault;

/// The running roles of a process.
pub(crate) struct Roles<'p> {
    parts: &'p Parts,
    shutdown: CancellationToken,
    services: JoinSet<std::io::Result<()>>,
    worker: Option<JoinHandle<()>>,
}

impl<'p> Roles<'p> {
    /// None yet; all that are added end when the token is cancelled.
    pub(crate) fn new(parts: &'p Parts, shutdown: CancellationToken) -> Self {
        Self {
            parts,
            shutdown,
            services: JoinSet::new(),
            worker: None,
        }
    }

    pub(crate) fn serve_api(&mut self, listener: TcpListener) {
        let serving = waybill_api::serve(listener, self.parts.api(), self.shutdown.clone());
        self.services.spawn(serving);
    }

    pub(crate) fn serve_health(&mut self, listener: TcpListener) {
        let parts = self.parts.health();
        let limits = self.parts.config.limits.clone();
        let shutdown = self.shutdown.clone();
        self.services.spawn(async move {
            waybill_api::serve_health(listener, parts, &limits, shutdown).await
        });
    }

    pub(crate) fn work(&mut self) {
        let working = waybill_worker::run(self.parts.worker(), self.shutdown.clone());
        self.worker = Some(tokio::spawn(working));
    }

    /// A step of the start, while the roles so far play on. When the shutdown comes first there are no
    /// more steps; a fault ends the roles.
    pub(crate) async fn meanwhile(
        &mut self,
        step: impl Future<Output = Result<(), StartFault>>,
    ) -> Result<(), StartFault> {
        let Some(Err(fault)) = self.shutdown.run_until_cancelled(step).await else {
            return Ok(());
        };
        self.shutdown.cancel();
        self.end().await?;
        Err(fault)
    }

    /// Plays until the shutdown and then to the end.
    pub(crate) async fn play(mut self) -> Result<(), StartFault> {
        self.shutdown.cancelled().await;
        self.end().await?;
        tracing::info!("stopped");
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StartFault> {
        let requests = async { while self.services.join_next().await.is_some() {} };
        let grace: Duration = self.parts.config.shutdown.grace();
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
