//! `waybill worker`: makes exports; any number of them share the work.

use std::path::PathBuf;

use clap::Args;
use waybill_config::Config;

use crate::dependencies::Parts;
use crate::error::StartFault;
use crate::ready::{self, Addresses};
use crate::services::Roles;
use crate::settings::Settings;
use crate::{listen, open_files, runtime, shutdown, startup};

/// Flags of `waybill worker`.
#[derive(Args, Debug)]
pub(crate) struct WorkerArgs {
    /// Address of the worker's own health and metrics; port 0 picks a free one [default: none]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What may be reported on; its sources are set as sources.NAME.url
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the address, if there is one, as JSON once the process is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
pub(crate) fn run(args: &WorkerArgs) -> Result<(), StartFault> {
    let config = Settings::of_file(args.config.as_ref())
        .flag("--listen", "worker.listen", args.listen.as_ref())
        .flag("--catalog", "catalog", args.catalog.as_ref())
        .load()?;
    let log = config.log.clone();
    runtime::run(&log, work(args, config))
}

async fn work(args: &WorkerArgs, config: Config) -> Result<(), StartFault> {
    let shutdown = shutdown::on_signal()?;
    let (config, shortage) = open_files::made_to_suffice(config, 1);
    let listening = match config.worker.listen {
        Some(address) => Some(listen::bind("worker.listen", address).await?),
        None => None,
    };
    let at_once = config.worker.concurrency;
    let parts = Parts::distributed(config, at_once).await?;

    startup::look(&parts).await?;
    startup::tell(&parts, shortage);

    let mut addresses = Addresses::default();
    let mut roles = Roles::new(&parts, shutdown);
    if let Some(listening) = listening {
        roles.serve_health(listening.listener);
        tracing::info!(worker = listening.url, "listening");
        addresses = addresses.with("worker", &listening.url);
    }
    // A worker writes from its first moment on: not before the schema is the one that it knows.
    roles.meanwhile(startup::schema(&parts)).await?;
    roles.work();
    roles.meanwhile(startup::catalog(&parts)).await?;
    roles
        .meanwhile(ready::announce(
            &parts,
            &addresses,
            args.ready_file.as_deref(),
        ))
        .await?;
    roles.play().await
}
