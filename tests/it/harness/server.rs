//! One server with data of its own: start it, stop it, kill it, start it again.
//!
//! What it is made of is the deployment's concern; a test that does not ask cannot tell.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::thread;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::http::Http;
use super::launch::{Deployment, Exit, Launch};
use super::process::{Log, Process};
use super::services::Services;

/// Rows of `org_demo` on the shared server: more than are answered inline, few enough to be quick.
pub(crate) const DEMO_ROWS: usize = 30_000;

/// A running (or stopped, or killed) server and its data.
pub(crate) struct Server {
    launch: Launch,
    services: Option<Services>,
    /// The API first.
    processes: Vec<Running>,
    logs: Vec<Log>,
    s3: String,
    folder: TempDir,
}

/// A process, and the addresses of its API and of its worker's own health, if it has them.
struct Running {
    process: Process,
    api: Option<String>,
    worker: Option<String>,
}

impl Server {
    pub(super) fn start(launch: Launch) -> Result<Self, String> {
        let services = match launch.deployment {
            Deployment::Embedded => return Self::start_in(folder()?, launch, None),
            Deployment::Distributed if launch.own_services => Services::own(),
            Deployment::Distributed => Services::shared(),
        };
        Self::start_on(launch, services)
    }

    pub(super) fn start_on(launch: Launch, services: Services) -> Result<Self, String> {
        let folder = folder()?;
        let launch = services.prepare(services.joined_to(launch), folder.path());
        Self::start_in(folder, launch, Some(services))
    }

    fn start_in(
        folder: TempDir,
        launch: Launch,
        services: Option<Services>,
    ) -> Result<Self, String> {
        let mut server = Self {
            launch,
            services,
            processes: Vec::new(),
            logs: Vec::new(),
            s3: String::new(),
            folder,
        };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<(), String> {
        let folder = self.folder.path().to_owned();
        let programs = match self.launch.deployment {
            Deployment::Embedded => vec![("up".to_owned(), self.launch.up(&folder))],
            Deployment::Distributed => {
                let apis = (0..self.launch.apis)
                    .map(|number| (format!("api-{number}"), self.launch.api(&folder)));
                let workers = (0..self.launch.workers)
                    .map(|number| (format!("worker-{number}"), self.launch.worker(&folder)));
                apis.chain(workers).collect()
            }
        };
        self.logs.clear();
        let starting: Vec<_> = programs
            .into_iter()
            .map(|(name, command)| start(&name, command, &folder))
            .collect();
        for (ready_file, process) in starting {
            self.join(&ready_file, process)?;
        }
        if let Some(services) = &self.services {
            self.s3 = services.store().endpoint();
        }
        Ok(())
    }

    /// Waits until a started process is ready, which then is one of this server's.
    fn join(&mut self, ready_file: &Path, mut process: Process) -> Result<(), String> {
        self.logs.push(process.log().clone());
        let ready = process.ready(ready_file)?;
        let address = |name: &str| {
            let url = ready[name].as_str();
            url.map(|url| url.trim_end_matches('/').to_owned())
        };
        if let Some(s3) = address("s3") {
            self.s3 = s3;
        }
        let (api, worker) = (address("api"), address("worker"));
        self.processes.push(Running {
            process,
            api,
            worker,
        });
        Ok(())
    }

    /// Starts another process of a role, `api` or `worker`, and returns its name.
    pub(crate) fn start_another(&mut self, role: &str) -> String {
        let folder = self.folder.path();
        let command = match role {
            "api" => self.launch.api(folder),
            "worker" => self.launch.worker(folder),
            _ => panic!("no process has the role {role}"),
        };
        let older = self.logs.iter().filter(|log| log.name().starts_with(role));
        let name = format!("{role}-{}", older.count());
        let (ready_file, process) = start(&name, command, folder);
        self.join(&ready_file, process)
            .unwrap_or_else(|why| panic!("{why}"));
        name
    }

    /// The names of the running processes of a role.
    pub(crate) fn names_of(&self, role: &str) -> Vec<String> {
        let names = self.processes.iter().map(|running| running.process.name());
        let names = names.filter(|name| name.starts_with(role));
        names.map(str::to_owned).collect()
    }

    /// `kill -9` of every process: no chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        for running in self.processes.drain(..) {
            running.process.kill();
        }
    }

    /// `kill -9` of one process.
    pub(crate) fn kill_one(&mut self, name: &str) {
        self.take(name).kill();
    }

    /// Sends a signal to one process.
    pub(crate) fn signal_one(&self, name: &str, signal: &str) {
        let place = self.place(name);
        self.processes[place].process.signal(signal);
    }

    /// SIGTERM to one process, and how it ended.
    pub(crate) fn terminate_one(&mut self, name: &str) -> ExitStatus {
        self.signal_one(name, "TERM");
        self.take(name).wait()
    }

    fn take(&mut self, name: &str) -> Process {
        let place = self.place(name);
        self.processes.remove(place).process
    }

    fn place(&self, name: &str) -> usize {
        let mut running = self.processes.iter();
        let place = running.position(|running| running.process.name() == name);
        place.unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// SIGTERM to every process, and how the first ended that did not end well, or else the first.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        for running in &self.processes {
            running.process.signal("TERM");
        }
        let ends: Vec<ExitStatus> = self
            .processes
            .drain(..)
            .map(|mut running| running.process.wait())
            .collect();
        let bad = ends.iter().find(|status| !status.success());
        *bad.unwrap_or(&ends[0])
    }

    /// Starts it again with the same data.
    pub(crate) fn start_again(&mut self) {
        assert!(self.processes.is_empty(), "it was stopped before");
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }

    /// The address of the (first) API, without a slash at the end.
    pub(crate) fn api(&self) -> &str {
        self.apis().next().expect("an API runs")
    }

    /// The addresses of all APIs.
    pub(crate) fn apis(&self) -> impl Iterator<Item = &str> {
        self.processes
            .iter()
            .filter_map(|running| running.api.as_deref())
    }

    /// Whether its API and its worker are the same process.
    pub(crate) fn is_one_process(&self) -> bool {
        self.launch.deployment == Deployment::Embedded
    }

    /// A client of the process in which exports are made: the API's too, or the (first) worker's, which
    /// was told to listen.
    pub(crate) fn worker_http(&self) -> Http {
        if self.is_one_process() {
            return self.http();
        }
        let mut workers = self.processes.iter();
        let address = workers.find_map(|running| running.worker.as_deref());
        Http::new(address.expect("a worker listens"))
    }

    /// A client of each API.
    pub(crate) fn each_http(&self) -> Vec<Http> {
        self.apis().map(Http::new).collect()
    }

    /// Runs a subcommand with the settings of this server to its end.
    pub(crate) fn run_command(&self, subcommand: &str, arguments: &[&str]) -> Exit {
        self.run_command_with(subcommand, arguments, &[])
    }

    /// The same with more variables in its environment.
    pub(crate) fn run_command_with(
        &self,
        subcommand: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Exit {
        let mut command = self.launch.command(subcommand, self.folder.path());
        command.args(arguments).envs(environment.iter().copied());
        Exit::of(command, self.folder.path())
    }

    /// What a distributed server stands on.
    pub(crate) fn services(&self) -> &Services {
        let services = self.services.as_ref();
        services.expect("a distributed server has services")
    }

    /// Everything that its processes logged.
    pub(crate) fn logged(&self) -> String {
        self.logs.iter().map(Log::stderr).collect()
    }

    /// The address of S3, without a slash at the end.
    pub(crate) fn s3(&self) -> &str {
        &self.s3
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(self.api())
    }

    /// The folder of an embedded server.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.launch.data_dir_in(self.folder.path())
    }

    /// What its first process printed.
    pub(crate) fn stdout(&self) -> String {
        self.logs[0].stdout()
    }

    /// The most memory that the process has held so far in which exports are made.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let exporting = self.processes.last();
        let exporting = &exporting.expect("the server is running").process;
        exporting.peak_memory_bytes()
    }

    /// The most memory that the process has held so far which answers.
    pub(crate) fn peak_memory_of_api(&self) -> u64 {
        let mut running = self.processes.iter();
        let answering = running.find(|running| running.api.is_some());
        let answering = &answering.expect("an API runs").process;
        answering.peak_memory_bytes()
    }

    /// The demo's rows in SQLite: an embedded server's own database, or for another that of an
    /// embedded server with as many rows, because the demo is the same everywhere.
    pub(crate) fn demo_database(&self) -> Connection {
        let folder = match self.launch.deployment {
            Deployment::Embedded => self.data_dir(),
            Deployment::Distributed => embedded_demo(self.launch.demo_rows),
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        files_under(&folder)
            .into_iter()
            .filter(|path| starts_with(path, b"SQLite format 3\0"))
            .filter_map(|path| Connection::open_with_flags(path, flags).ok())
            .find(|database| database.table_exists(None, "sessions").unwrap_or(false))
            .expect("the data directory holds the demo's database")
    }

    /// The files of the store that belong to this export.
    pub(crate) fn objects_of(&self, export_id: &str) -> Vec<PathBuf> {
        let store = match &self.services {
            Some(services) => services.store().folder().to_owned(),
            None => self.data_dir(),
        };
        files_under(&store)
            .into_iter()
            .filter(|path| path.iter().any(|part| part == export_id))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            self.show_logs();
        }
    }
}

impl Server {
    #[expect(
        clippy::print_stderr,
        reason = "what a failed test needs to be understood"
    )]
    fn show_logs(&self) {
        for log in &self.logs {
            eprintln!("{}", log.shown());
        }
    }
}

/// A folder for a server.
pub(crate) fn folder() -> Result<TempDir, String> {
    TempDir::new().map_err(|error| error.to_string())
}

/// Starts a program that writes a ready file; returns the file's path and the process.
pub(crate) fn start(name: &str, mut command: Command, folder: &Path) -> (PathBuf, Process) {
    let ready_file = folder.join(format!("{name}.ready"));
    drop(fs::remove_file(&ready_file));
    command.arg("--ready-file").arg(&ready_file);
    (ready_file, Process::start(command, name, folder))
}

/// The folder of a demo of so many rows, made once.
fn embedded_demo(rows: usize) -> PathBuf {
    static DEMOS: Mutex<Option<HashMap<usize, Server>>> = Mutex::new(None);
    let mut demos = DEMOS.lock();
    let made = demos
        .get_or_insert_default()
        .entry(rows)
        .or_insert_with(|| {
            let mut server = Launch::of(Deployment::Embedded).demo_rows(rows).start();
            server.terminate();
            server
        });
    made.data_dir()
}

/// The server that all tests use which only read and make exports of their own.
pub(crate) fn shared() -> Shared {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let launch = Launch::new().demo_rows(DEMO_ROWS).env("INLINE__SLOTS", 64);
        Server::start(launch)
    });
    match server {
        Ok(server) => Shared(server),
        Err(why) => panic!("{why}"),
    }
}

/// The shared server in the hands of one test, which shows its log when it fails.
pub(crate) struct Shared(&'static Server);

impl Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.show_logs();
        }
    }
}

/// Every file below a folder.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A file or folder may vanish between being listed and being looked at.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    files
}

fn starts_with(path: &Path, magic: &[u8]) -> bool {
    use std::io::Read as _;
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(magic.len() as u64).read_to_end(&mut start))
        .is_ok()
        && start == magic
}
