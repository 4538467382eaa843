//! `waybill up`: everything in one process, on SQLite files and a folder of objects.
//!
//! The same parts as a distributed set-up, put together with smaller ones: the worker uploads
//! through the same S3 client, and clients download over the same presigned links.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use waybill_config::Config;
use waybill_ledger::database::Database;
use waybill_telemetry::escaped;

use crate::data_dir::DataDir;
use crate::dependencies::Dependencies;
use crate::embedded_store::{self, Store};
use crate::error::StartError;
use crate::ready::{self, Addresses};
use crate::report_sources::ReportSources;
use crate::services::Services;
use crate::settings::Settings;
use crate::{listen, open_files, output, runtime, shutdown, startup};

/// Flags of `waybill up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Address of the API; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of the embedded S3 store, which download links name; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    s3_listen: SocketAddr,
    /// Folder for the ledger, the files and the demo data; everything in it survives restarts
    #[arg(long, value_name = "DIR", default_value = "./waybill-data")]
    data_dir: PathBuf,
    /// Rows of the demo's first organisation
    #[arg(long, value_name = "ROWS", default_value_t = 200_000)]
    demo_rows: u64,
    /// Your own catalog instead of the demo; its sources are set as sources.NAME.url
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the addresses as JSON once everything is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// A connection to the API, and one to the store with the file that it is sent.
const FILES_PER_CLIENT: u64 = 3;

/// What `up` brings with it, so that nobody may set it.
const OWN: [&str; 4] = [
    "database.url",
    "storage.endpoint",
    "storage.bucket",
    "storage.access_key_id",
];

impl UpArgs {
    fn settings(&self) -> Result<Config, StartError> {
        let config = Settings::of_file(self.config.as_ref())
            .or_default("auth.mode", "none")
            .flag("--listen", "api.listen", self.listen.as_ref())
            .flag("--catalog", "catalog", self.catalog.as_ref())
            .load()?;
        let storage = &config.storage;
        let set = [
            config.database.url.is_some(),
            storage.endpoint.is_some(),
            storage.bucket.is_some(),
            storage.access_key_id.is_some(),
        ];
        match OWN.iter().zip(set).find(|(_, set)| *set) {
            Some((setting, _)) => Err(StartError::usage(format_args!(
                "{setting}: `waybill up` brings its own, in --data-dir; leave it unset"
            ))),
            None => Ok(config),
        }
    }
}

/// Runs until a signal.
pub(crate) fn run(args: &UpArgs) -> Result<(), StartError> {
    let config = args.settings()?;
    let log = config.log.clone();
    runtime::run(&log, serve(args, config))
}

async fn serve(args: &UpArgs, config: Config) -> Result<(), StartError> {
    let shutdown = shutdown::on_signal()?;
    let (config, shortage) = open_files::made_to_suffice(config, FILES_PER_CLIENT);
    let data = DataDir::open(&args.data_dir)?;
    let api = listen::bind("--listen", config.api.listen).await?;
    let s3 = listen::bind("--s3-listen", args.s3_listen).await?;
    let reports = reports(args, &config, &data)?;
    let addresses = Addresses::default()
        .with("api", &api.url)
        .with("s3", &s3.url);

    let api_port = api
        .listener
        .local_addr()
        .context("the API's address")?
        .port();
    let gate = embedded_store::gate(&config, &s3.url, api_port);
    let store = Store::start(&data, s3.listener, gate, &config.limits)?;
    let bucket = store.bucket(&s3.url, &config.storage).await?;
    let database = ledger(&data).await?;
    let dependencies = Dependencies::new(config, reports, database, bucket);
    startup::check_once(&dependencies).await?;
    startup::warn(&dependencies, shortage);

    let mut services = Services::new(&dependencies, shutdown);
    services.serve_api(api.listener);
    tracing::info!(api = api.url, s3 = s3.url, "listening");
    services.work();
    let ledger = format!("WAYBILL__DATABASE__URL=sqlite:{} ", data.ledger().display());
    startup::warn_without_keys(&dependencies, &ledger).await;
    services
        .startup(startup::wait_for_catalog(&dependencies))
        .await?;
    services
        .startup(async {
            ready::announce(&dependencies, &addresses, args.ready_file.as_deref()).await?;
            greet(&api.url, &s3.url, data.path(), &dependencies.reports);
            Ok(())
        })
        .await?;
    services.run().await?;
    store.stop().await;
    Ok(())
}

/// What may be asked and where it is read: the user's own, or the demo.
fn reports(args: &UpArgs, config: &Config, data: &DataDir) -> Result<ReportSources, StartError> {
    if config.catalog.is_some() {
        return ReportSources::of(config, config.inline.slots + config.worker.concurrency);
    }
    let demo = data.demo();
    if waybill_demo::sqlite::ensure(&demo, args.demo_rows)? {
        tracing::info!(rows = args.demo_rows, "made the demo data");
    }
    Ok(ReportSources::demo(config, &demo)?)
}

/// The ledger in its file, where whatever the last process was at goes on.
async fn ledger(data: &DataDir) -> anyhow::Result<Database> {
    let database = Database::open_file(&data.ledger())
        .await
        .context("the ledger")?;
    // The folder is ours alone, so whoever held a lease is gone.
    let orphaned = database.upkeep().requeue_lapsed(true).await;
    let orphaned = orphaned.context("the ledger")?;
    if !orphaned.is_empty() {
        tracing::info!(
            exports = orphaned.len(),
            "resuming what the last process left"
        );
    }
    Ok(database)
}

fn greet(api: &str, s3: &str, data: &Path, reports: &ReportSources) {
    let data = data.display().to_string();
    let data = escaped(&data);
    let first = if reports.file.is_none() {
        format!(
            r#"Try a small report:
curl -s {api}/v1/reports/query/export -H 'content-type: application/json' -d '{{"query":{{"dataset":"sessions","dimensions":["status"],"measures":["session_count","total_cost"],"time_range":{{"from":"2026-04-24T00:00:00Z","to":"2026-05-24T00:00:00Z"}},"order_by":[{{"measure":"session_count","direction":"desc"}}]}}}}'

Then a large one, which is an export with a download link once it is there:
curl -s {api}/v1/reports/query/export -H 'content-type: application/json' -H 'prefer: wait=30' -d '{{"query":{{"dataset":"session_rows","dimensions":["session_id","status","started_at","cost"],"time_range":{{"from":"2026-04-24T00:00:00Z","to":"2026-05-24T00:00:00Z"}},"limit":null}}}}'"#
        )
    } else {
        format!("See what can be asked:\ncurl -s {api}/v1/reports/catalog")
    };
    output::greeting(&format!(
        "Waybill is ready: API {api} (documentation: {api}/docs), files {s3}, data {data}\n\n{first}\n"
    ));
}
