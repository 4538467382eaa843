//! `waybill api`: the HTTP service alone; exports are made by workers elsewhere.

use std::path::PathBuf;

use clap::Args;
use waybill_config::Config;

use crate::dependencies::Dependencies;
use crate::error::StartError;
use crate::ready::{self, Addresses};
use crate::services::Services;
use crate::settings::Settings;
use crate::{listen, open_files, runtime, shutdown, startup};

/// Flags of `waybill api`.
#[derive(Args, Debug)]
pub(crate) struct ApiArgs {
    /// Address of the API; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What may be reported on; its sources are set as sources.NAME.url
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the address as JSON once the process is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Runs until a signal.
pub(crate) fn run(args: &ApiArgs) -> Result<(), StartError> {
    let config = Settings::of_file(args.config.as_ref())
        .flag("--listen", "api.listen", args.listen.as_ref())
        .flag("--catalog", "catalog", args.catalog.as_ref())
        .load()?;
    let log = config.log.clone();
    runtime::run(&log, serve(args, config))
}

async fn serve(args: &ApiArgs, config: Config) -> Result<(), StartError> {
    let shutdown = shutdown::on_signal()?;
    let (config, shortage) = open_files::made_to_suffice(config, 1);
    let listening = listen::bind("api.listen", config.api.listen).await?;
    let addresses = Addresses::default().with("api", &listening.url);
    let at_once = config.inline.slots;
    let dependencies = Dependencies::distributed(config, at_once).await?;
    startup::check_once(&dependencies).await?;
    startup::warn(&dependencies, shortage);

    let mut services = Services::new(&dependencies, shutdown);
    services.serve_api(listening.listener);
    tracing::info!(api = listening.url, "listening");
    services
        .startup(startup::wait_for_checks(&dependencies))
        .await?;
    startup::warn_without_keys(&dependencies, "").await;
    services
        .startup(ready::announce(
            &dependencies,
            &addresses,
            args.ready_file.as_deref(),
        ))
        .await?;
    services.run().await
}
