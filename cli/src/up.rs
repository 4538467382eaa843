//! `waybill up`: everything in one process, on SQLite files and a folder of objects.
//!
//! The same parts as a distributed set-up, put together with smaller ones: the worker uploads
//! through the same S3 client, and clients download over the same presigned links.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waybill_api::{ApiParts, ApiState};
use waybill_shared::bucket::Bucket;
use waybill_shared::catalog::Catalog;
use waybill_shared::config::{Config, Flag, Layers, StorageSettings, Value};
use waybill_shared::database::Database;
use waybill_shared::source::Sources;
use waybill_shared::source::sqlite::SqliteSource;
use waybill_shared::telemetry;
use waybill_worker::WorkerParts;

use crate::data_dir::DataDir;
use crate::fault::StartFault;
use crate::ready::{self, Addresses};
use crate::{demo, stop, store};

/// The embedded store's bucket.
const BUCKET: &str = "waybill";

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

impl UpArgs {
    fn settings(&self) -> Result<Config, StartFault> {
        let mut flags = Vec::new();
        if let Some(listen) = &self.listen {
            flags.push(Flag {
                name: "--listen",
                setting: "api.listen",
                value: Value::from(listen.as_str()),
            });
        }
        if let Some(catalog) = &self.catalog {
            flags.push(Flag {
                name: "--catalog",
                setting: "catalog",
                value: Value::from(catalog.to_string_lossy().as_ref()),
            });
        }
        let config = Config::load(Layers {
            command_defaults: &[("auth.mode", Value::from("none"))],
            file: self.config.as_deref(),
            environment: std::env::vars_os(),
            flags: &flags,
        })
        .map_err(StartFault::usage)?;
        for (setting, set) in [
            ("database.url", config.database.url.is_some()),
            ("storage.endpoint", config.storage.endpoint.is_some()),
            ("storage.bucket", config.storage.bucket.is_some()),
            (
                "storage.access_key_id",
                config.storage.access_key_id.is_some(),
            ),
        ] {
            if set {
                return Err(StartFault::usage(format_args!(
                    "{setting}: `waybill up` brings its own, in --data-dir; leave it unset"
                )));
            }
        }
        Ok(config)
    }
}

/// Runs until a signal.
pub(crate) fn run(args: &UpArgs) -> Result<(), StartFault> {
    let config = args.settings()?;
    telemetry::init(&config.log)
        .map_err(|error| StartFault::usage(format_args!("log.filter: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(serve(args, config));
    // A query that is being interrupted must not hold the process.
    runtime.shutdown_background();
    outcome
}

async fn serve(args: &UpArgs, config: Config) -> Result<(), StartFault> {
    let shutdown = stop::on_signal()?;
    let data = DataDir::open(&args.data_dir)?;
    let api_listener = bind("--listen", config.api.listen).await?;
    let s3_listener = bind("--s3-listen", args.s3_listen).await?;
    let addresses = Addresses {
        api: url(&api_listener)?,
        s3: url(&s3_listener)?,
    };
    let (catalog, sources) = reports(args, &config, &data)?;
    if let Some(path) = &config.catalog {
        let findings = catalog.check(&sources).await.context("the catalog")?;
        if let Some(faults) = findings.faults {
            return Err(StartFault::usage(faults.lines(path).join("\n")));
        }
        for warning in &findings.warnings {
            tracing::warn!(line = warning.line, "{warning}");
        }
    }

    let keys = data.store_keys()?;
    let service = store::service(&data.store(), &keys)?;
    let store_shutdown = CancellationToken::new();
    let store = tokio::spawn(store::serve(s3_listener, service, store_shutdown.clone()));
    let settings = StorageSettings {
        endpoint: Some(addresses.s3.clone()),
        access_key_id: Some(keys.id),
        secret_access_key: Some(keys.secret.into()),
        path_style: true,
        ..config.storage.clone()
    };
    let bucket = Bucket::new(BUCKET, &settings).await;
    bucket.create().await.context("the embedded store")?;

    let database = Database::open_file(&data.ledger())
        .await
        .context("the ledger")?;
    // The folder is ours alone, so whoever held a lease is gone.
    let orphaned = database
        .ledger
        .requeue_lapsed(true)
        .await
        .context("the ledger")?;
    if !orphaned.is_empty() {
        tracing::info!(
            exports = orphaned.len(),
            "resuming what the last process left"
        );
    }

    let worker = tokio::spawn(waybill_worker::run(
        WorkerParts {
            catalog: Arc::clone(&catalog),
            sources: sources.clone(),
            ledger: Arc::clone(&database.ledger),
            queue: database.queue,
            bucket: bucket.clone(),
            worker: config.worker.clone(),
            exports: config.exports.clone(),
            grace: config.shutdown.grace(),
        },
        shutdown.clone(),
    ));
    let state = ApiState::new(ApiParts {
        catalog,
        sources,
        ledger: database.ledger,
        bucket,
        inline: config.inline.clone(),
        exports: config.exports.clone(),
        public_url: config.api.public_url.clone(),
    });
    let api = tokio::spawn(waybill_api::serve(api_listener, state, shutdown.clone()));

    tracing::info!(api = addresses.api, s3 = addresses.s3, "listening");
    if let Some(path) = &args.ready_file {
        ready::write_file(path, &addresses)?;
    }
    greet(&addresses, data.path(), config.catalog.is_none());

    shutdown.cancelled().await;
    let stopped = tokio::time::timeout(config.shutdown.grace(), api).await;
    if stopped.is_err() {
        tracing::warn!("requests that outlived the grace were cut off");
    }
    worker.await.context("the worker")?;
    store_shutdown.cancel();
    // The store has only idle connections left; it need not be waited for.
    drop(tokio::time::timeout(std::time::Duration::from_secs(1), store).await);
    tracing::info!("stopped");
    Ok(())
}

/// What may be asked and where it is read: the user's own, or the demo.
fn reports(
    args: &UpArgs,
    config: &Config,
    data: &DataDir,
) -> Result<(Arc<Catalog>, Sources), StartFault> {
    let mut sources = Sources::default();
    let Some(path) = &config.catalog else {
        let demo = data.demo();
        if demo::ensure(&demo, args.demo_rows)? {
            tracing::info!(rows = args.demo_rows, "made the demo data");
        }
        sources.add("default", Arc::new(SqliteSource::new(demo)));
        let catalog = Catalog::parse(demo::CATALOG).context("the demo's catalog")?;
        return Ok((Arc::new(catalog), sources));
    };
    let catalog = Catalog::read(path).map_err(StartFault::usage)?;
    for dataset in catalog.datasets() {
        let name = dataset.source.as_str();
        if sources.get(name).is_none() {
            let url = config.source_url(name).map_err(StartFault::usage)?;
            let file = url.sqlite_path().ok_or_else(|| {
                StartFault::usage(format_args!(
                    "sources.{name}.url: `waybill up` reads SQLite files, sqlite://FILE"
                ))
            })?;
            if !file.is_file() {
                return Err(StartFault::usage(format_args!(
                    "sources.{name}.url: there is no file {}",
                    file.display()
                )));
            }
            sources.add(name, Arc::new(SqliteSource::new(file)));
        }
    }
    Ok((Arc::new(catalog), sources))
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, StartFault> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartFault::usage(format_args!("{flag} {address}: {error}")))
}

fn url(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

#[expect(
    clippy::print_stdout,
    reason = "the greeting is what the command is for"
)]
fn greet(addresses: &Addresses, data: &Path, demo: bool) {
    let Addresses { api, s3 } = addresses;
    println!(
        "Waybill is ready: API {api} (documentation: {api}/docs), files {s3}, data {}",
        data.display()
    );
    println!();
    if demo {
        println!("Try a small report:");
        println!(
            r#"curl -s {api}/v1/reports/query/export -H 'content-type: application/json' -d '{{"query":{{"dataset":"sessions","dimensions":["status"],"measures":["session_count","total_cost"],"time_range":{{"from":"2026-04-24T00:00:00Z","to":"2026-05-24T00:00:00Z"}},"order_by":[{{"measure":"session_count","direction":"desc"}}]}}}}'"#
        );
    } else {
        println!("See what can be asked:");
        println!("curl -s {api}/v1/reports/catalog");
    }
}
