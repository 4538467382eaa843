//! The service as it is deployed: `waybill api` and `waybill worker` as processes of their own, on a
//! ledger of their own, over the common rows and one of the stores.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;
use waybill_test_services::postgres::Database;
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY};

use crate::api::Api;
use crate::dataset;
use crate::fixture::Fixture;
use crate::process::Process;
use crate::store::{REGION, Store};

/// How long a process may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// A running service. Dropped, its processes are ended.
pub(crate) struct Deployment<'c> {
    settings: Vec<(&'static str, String)>,
    executable: std::path::PathBuf,
    ledger: Database<'c>,
    api_process: Process,
    worker: Option<Process>,
    pub(crate) api: Api,
    /// What its routes begin with, without a slash at the end.
    pub(crate) url: String,
}

impl<'c> Deployment<'c> {
    /// Migrates a fresh ledger and starts `waybill api`, no worker yet.
    pub(crate) async fn start(fixture: &Fixture<'c>, store: &Store) -> anyhow::Result<Self> {
        Self::with(fixture, store, &[]).await
    }

    /// The same with some settings changed, named as in the environment.
    pub(crate) async fn with(
        fixture: &Fixture<'c>,
        store: &Store,
        changes: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let executable = fixture.executable()?.clone();
        let ledger = fixture.cluster.database();
        let mut settings = settings(fixture, &ledger, store);
        // Of two values of a variable the later one is in force.
        settings.extend(
            changes
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );

        let migrated = command(&executable, &settings)
            .arg("migrate")
            .stdin(Stdio::null())
            .output()?;
        anyhow::ensure!(
            migrated.status.success(),
            "waybill migrate failed: {}",
            String::from_utf8_lossy(&migrated.stderr)
        );

        let folder = TempDir::with_prefix("waybill-bench-ready-")?;
        let ready_file = folder.path().join("ready.json");
        let mut serve = command(&executable, &settings);
        serve.arg("api").arg("--ready-file").arg(&ready_file);
        let mut api_process = Process::start("waybill api", &mut serve)?;
        let url = ready(&mut api_process, &ready_file).await?;
        Ok(Self {
            settings,
            executable,
            ledger,
            api_process,
            worker: None,
            api: Api::new(&url)?,
            url,
        })
    }

    /// Starts a fresh `waybill worker` in the place of the one before, if there was one.
    pub(crate) fn start_worker(&mut self) -> anyhow::Result<()> {
        self.worker = None;
        let mut work = command(&self.executable, &self.settings);
        work.arg("worker");
        self.worker = Some(Process::start("waybill worker", &mut work)?);
        Ok(())
    }

    /// Ends the worker at once. What it was doing stays undone.
    pub(crate) fn end_worker(&mut self) {
        self.worker = None;
    }

    /// An admin key of an organisation.
    pub(crate) fn key(&self, org: &str) -> anyhow::Result<String> {
        let created = command(&self.executable, &self.settings)
            .args(["keys", "create", "--role", "admin", "--org", org])
            .stdin(Stdio::null())
            .output()?;
        anyhow::ensure!(
            created.status.success(),
            "waybill keys create failed: {}",
            String::from_utf8_lossy(&created.stderr)
        );
        Ok(String::from_utf8(created.stdout)?.trim().to_owned())
    }

    /// The process that answers.
    pub(crate) fn api_process(&self) -> &Process {
        &self.api_process
    }

    /// The database of exports and their queue.
    pub(crate) fn ledger(&self) -> &Database<'c> {
        &self.ledger
    }

    /// How many exports the ledger holds of this status.
    pub(crate) fn exports_of(&self, status: &str) -> anyhow::Result<u64> {
        let count = self.ledger.psql(&format!(
            "SELECT count(*) FROM waybill.exports WHERE status = '{status}'"
        ));
        Ok(count.parse()?)
    }

    /// Waits until so many exports are running.
    pub(crate) async fn are_running(&self, wanted: u64) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.exports_of("running")? < wanted {
            anyhow::ensure!(started.elapsed() < READY, "fewer than {wanted} exports run");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Lets a worker do something small, so that connections are open and caches filled.
    pub(crate) async fn warm_up(&mut self) -> anyhow::Result<()> {
        let request = dataset::rows_request("session_rows", &dataset::all(), Some(100));
        let export = self.api.enqueue(&request).await?;
        let completed = self.api.completed(&export.id).await;
        self.explain(completed).map(drop)
    }

    /// Adds to an error what the processes logged.
    pub(crate) fn explain<T>(&mut self, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        let error = match outcome {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        self.api_process.ensure_running()?;
        let mut logs = self.api_process.log();
        if let Some(worker) = &mut self.worker {
            worker.ensure_running()?;
            logs = format!("{logs}\n{}", worker.log());
        }
        Err(error.context(logs))
    }

    /// The running worker.
    pub(crate) fn worker(&self) -> anyhow::Result<&Process> {
        self.worker.as_ref().context("no worker was started")
    }

    /// Exports that the ledger holds.
    pub(crate) fn exports_in_ledger(&self) -> anyhow::Result<u64> {
        Ok(self
            .ledger
            .psql("SELECT count(*) FROM waybill.exports")
            .parse()?)
    }
}

/// Production's settings with what a benchmark would run into moved out of its way.
fn settings(
    fixture: &Fixture<'_>,
    ledger: &Database<'_>,
    store: &Store,
) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE__URL", ledger.url()),
        ("SOURCES__DEFAULT__URL", fixture.source.url()),
        ("CATALOG", fixture.catalog().display().to_string()),
        ("API__LISTEN", "127.0.0.1:0".to_owned()),
        ("AUTH__MODE", "none".to_owned()),
        ("STORAGE__ENDPOINT", store.endpoint.clone()),
        ("STORAGE__REGION", REGION.to_owned()),
        ("STORAGE__BUCKET", BUCKET.to_owned()),
        ("STORAGE__ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
        ("STORAGE__SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ("LIMITS__REQUESTS_PER_SECOND", "1000000".to_owned()),
        ("LIMITS__BURST", "1000000".to_owned()),
        ("EXPORTS__MAX_QUEUED", "1000000".to_owned()),
        ("EXPORTS__MAX_ACTIVE_PER_ORG", "1000000".to_owned()),
        // Sixteen clients and eight slots: the others wait their turn.
        ("INLINE__QUEUE_WAIT_MS", "60000".to_owned()),
    ]
}

fn command(executable: &Path, settings: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(executable);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("WAYBILL__") {
            command.env_remove(name);
        }
    }
    let variables = settings
        .iter()
        .map(|(name, value)| (format!("WAYBILL__{name}"), value));
    command.envs(variables);
    command
}

/// Waits for the ready file and returns the API's address.
async fn ready(process: &mut Process, ready_file: &Path) -> anyhow::Result<String> {
    let started = Instant::now();
    while started.elapsed() < READY {
        if let Ok(text) = fs::read(ready_file) {
            let addresses: Value = serde_json::from_slice(&text)?;
            let api = addresses["api"]
                .as_str()
                .context("the ready file names no api")?;
            return Ok(api.to_owned());
        }
        process.ensure_running()?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!(
        "waybill api is not ready after {READY:?}\n{}",
        process.log()
    )
}
