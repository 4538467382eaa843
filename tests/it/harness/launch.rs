//! How to start a server, whatever it is made of.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::executable;
use super::process::Process;
use super::server::Server;
use super::services::Services;

/// What a server is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// `waybill up`: one process on SQLite and a folder.
    Embedded,
    /// `waybill api` and `waybill worker` on PostgreSQL and an S3 server.
    Distributed,
}

/// How to start a server. Ports are free ones, so that any number can run side by side.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(super) deployment: Deployment,
    pub(super) demo_rows: usize,
    pub(super) own_data: bool,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) own_services: bool,
    pub(super) apis: usize,
    pub(super) workers: usize,
    environment: Vec<(String, String)>,
    worker_environment: Vec<(String, String)>,
    arguments: Vec<OsString>,
    listen: String,
    s3_listen: String,
}

impl Launch {
    /// A server whose bounds are not in the way: waits are long, limits per client high.
    pub(crate) fn new() -> Self {
        Self::of(crate::DEPLOYMENT)
    }

    /// The same of a certain deployment.
    pub(crate) fn of(deployment: Deployment) -> Self {
        Self {
            deployment,
            demo_rows: 100,
            own_data: false,
            data_dir: None,
            own_services: false,
            apis: 1,
            workers: 1,
            environment: Vec::new(),
            worker_environment: Vec::new(),
            arguments: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            s3_listen: "127.0.0.1:0".to_owned(),
        }
        .env("INLINE__TIMEOUT_SECONDS", 60)
        .env("INLINE__QUEUE_WAIT_MS", 60_000)
        .env("EXPORTS__MAX_ACTIVE_PER_ORG", 100_000)
        .env("EXPORTS__FRESHNESS_TIMEOUT_MS", 60_000)
        .env("WORKER__SMALL_SLOTS", 0)
        .env("LIMITS__REQUESTS_PER_SECOND", 1_000_000)
        .env("LIMITS__BURST", 1_000_000)
        .env("LIMITS__READ_TIMEOUT_SECONDS", 600)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 600)
    }

    /// How many processes of each role a distributed server has.
    pub(crate) fn processes(mut self, apis: usize, workers: usize) -> Self {
        (self.apis, self.workers) = (apis, workers);
        self
    }

    /// With a database server and a store that no other test uses, so that they may be stopped.
    pub(crate) fn own_services(mut self) -> Self {
        self.own_services = true;
        self
    }

    pub(crate) fn demo_rows(mut self, rows: usize) -> Self {
        self.demo_rows = rows;
        self
    }

    /// Sets `WAYBILL__{name}`.
    pub(crate) fn env(mut self, name: &str, value: impl Display) -> Self {
        self.environment
            .push((format!("WAYBILL__{name}"), value.to_string()));
        self
    }

    /// Sets `WAYBILL__{name}` for the workers of a distributed server, whatever it is for the others.
    pub(crate) fn worker_env(mut self, name: &str, value: impl Display) -> Self {
        self.worker_environment
            .push((format!("WAYBILL__{name}"), value.to_string()));
        self
    }

    /// Sets `WAYBILL__{name}` unless it is set already.
    pub(super) fn default_env(self, name: &str, value: impl Display) -> Self {
        let full = format!("WAYBILL__{name}");
        if self.environment.iter().any(|(set, _)| *set == full) {
            return self;
        }
        self.env(name, value)
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Reads the reports' data from this SQLite file, described by this catalog.
    pub(crate) fn own_data(self, database: &Path, catalog: &Path) -> Self {
        self.own_source(&format!("sqlite://{}", database.display()), catalog)
    }

    /// Reads the reports' data from this URL, described by this catalog.
    pub(crate) fn own_source(mut self, url: &str, catalog: &Path) -> Self {
        self.own_data = true;
        self.env("SOURCES__DEFAULT__URL", url)
            .arg("--catalog")
            .arg(catalog)
    }

    pub(crate) fn listen(mut self, address: impl Display) -> Self {
        self.listen = address.to_string();
        self
    }

    pub(crate) fn s3_listen(mut self, address: impl Display) -> Self {
        self.s3_listen = address.to_string();
        self
    }

    /// Uses this data directory instead of a fresh one.
    pub(crate) fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(self) -> Server {
        Server::start(self).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same of a distributed server, on these services.
    pub(crate) fn start_on(self, services: Services) -> Server {
        Server::start_on(self, services).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts an embedded server that is expected to end by itself.
    pub(crate) fn run_to_exit(self) -> Exit {
        let folder = TempDir::new().expect("a folder for the test");
        let command = self.up(folder.path());
        Exit::of(command, folder.path())
    }

    /// `waybill up` with all that was set.
    pub(super) fn up(&self, folder: &Path) -> Command {
        let mut command = self.command("up", folder);
        command
            .args(["--listen", &self.listen])
            .args(["--s3-listen", &self.s3_listen])
            .args(["--demo-rows", &self.demo_rows.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir_in(folder))
            .args(&self.arguments);
        command
    }

    /// `waybill api` with all that was set.
    pub(super) fn api(&self, folder: &Path) -> Command {
        let mut command = self.command("api", folder);
        command
            .args(["--listen", &self.listen])
            .args(&self.arguments);
        command
    }

    /// `waybill worker` with all that was set.
    pub(super) fn worker(&self, folder: &Path) -> Command {
        let mut command = self.command("worker", folder);
        command
            .envs(self.worker_environment.iter().cloned())
            .args(&self.arguments);
        command
    }

    /// The executable with this launch's settings and nobody else's.
    pub(super) fn command(&self, subcommand: &str, folder: &Path) -> Command {
        let mut command = command(subcommand, folder);
        command.envs(self.environment.iter().cloned());
        command
    }

    pub(super) fn data_dir_in(&self, folder: &Path) -> PathBuf {
        self.data_dir
            .clone()
            .unwrap_or_else(|| folder.join("waybill-data"))
    }
}

/// A subcommand of the executable, without the settings of this process's environment.
pub(crate) fn command(subcommand: &str, folder: &Path) -> Command {
    let mut command = Command::new(executable::path());
    command.arg(subcommand).current_dir(folder);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("WAYBILL__") {
            command.env_remove(name);
        }
    }
    command
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Exit {
    /// Runs a command to its end.
    pub(crate) fn of(command: Command, folder: &Path) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        // A name of its own: output of an earlier run in the folder is not this one's.
        let name = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let mut process = Process::start(command, &name, folder);
        let code = process.wait().code();
        Self {
            code,
            stdout: process.log().stdout(),
            stderr: process.log().stderr(),
        }
    }
}
