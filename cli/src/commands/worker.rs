//! `waybill worker`: makes exports; any number of them share the work.

use std::path::PathBuf;

use clap::Args;
use waybill_config::Config;

use crate::dependencies::Dependencies;
use crate::error::StartError;
use crate::ready::{self, Addresses};
use crate::services::Services;
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
pub(crate) fn run(args: &WorkerArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref())
        .flag("--listen", "worker.listen", args.listen.as_ref())
        .flag("--catalog", "catalog", args.catalog.as_ref())
        .load()?;
    let log = config.log.clone();
    runtime::run(&log, work(args, config))
}

async fn work(args: &WorkerArgs, config: Config) -> Result<(), StartError> {
    let shutdown = shutdown::on_signal()?;
    let (config, shortage) = open_files::made_to_suffice(config, 1);
    let listening = match config.worker.listen {
        Some(address) => Some(listen::bind("worker.listen", address).await?),
        None => None,
    };
    let at_once = config.worker.concurrency;
    let dependencies = Dependencies::distributed(config, at_once).await?;

    startup::check_once(&dependencies).await?;
    startup::warn(&dependencies, shortage);

    let mut addresses = Addresses::default();
    let mut services = Services::new(&dependencies, shutdown);
    if let Some(listening) = listening {
        services.serve_health(listening.listener);
        tracing::info!(worker = listening.url, "listening");
        addresses = addresses.with("worker", &listening.url);
    }
    // A worker writes from its first moment on: not before the schema is the one that it knows.
    services
        .startup(startup::wait_for_schema(&dependencies))
        .await?;
    services.work();
    services
        .startup(startup::wait_for_catalog(&dependencies))
        .await?;
    services
        .startup(ready::announce(
            &dependencies,
            &addresses,
            args.ready_file.as_deref(),
        ))
        .await?;
    services.run().await
}
