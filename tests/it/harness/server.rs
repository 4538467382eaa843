//! One `waybill up` with a data directory of its own: start it, stop it, kill it, start it again.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use super::DEADLINE;
use super::executable;
use super::http::Http;

/// Rows of `org_demo` on the shared server: more than are answered inline, few enough to be quick.
pub(crate) const DEMO_ROWS: usize = 30_000;

/// Lines of a log that a failing test shows.
const SHOWN_LINES: usize = 80;

/// How to start a server. Ports are free ones, so that any number can run side by side.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    demo_rows: usize,
    environment: Vec<(String, String)>,
    arguments: Vec<OsString>,
    data_dir: Option<PathBuf>,
    listen: String,
    s3_listen: String,
}

impl Launch {
    /// A server whose bounds are not in the way: waits are long, limits per client high.
    pub(crate) fn new() -> Self {
        Self {
            demo_rows: 100,
            environment: Vec::new(),
            arguments: Vec::new(),
            data_dir: None,
            listen: "127.0.0.1:0".to_owned(),
            s3_listen: "127.0.0.1:0".to_owned(),
        }
        .env("INLINE__TIMEOUT_SECONDS", 60)
        .env("INLINE__QUEUE_WAIT_MS", 60_000)
        .env("EXPORTS__MAX_ACTIVE_PER_ORG", 100_000)
        .env("EXPORTS__FRESHNESS_TIMEOUT_MS", 60_000)
        .env("LIMITS__REQUESTS_PER_SECOND", 1_000_000)
        .env("LIMITS__BURST", 1_000_000)
    }

    pub(crate) fn demo_rows(mut self, rows: usize) -> Self {
        self.demo_rows = rows;
        self
    }

    /// Sets `WAYBILL__{name}`.
    pub(crate) fn env(mut self, name: &str, value: impl Display + Copy) -> Self {
        self.environment
            .push((format!("WAYBILL__{name}"), value.to_string()));
        self
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Reads the reports' data from this SQLite file, described by this catalog.
    pub(crate) fn own_data(self, database: &Path, catalog: &Path) -> Self {
        let url = format!("sqlite://{}", database.display());
        self.env("SOURCES__DEFAULT__URL", url.as_str())
            .arg("--catalog")
            .arg(catalog)
    }

    pub(crate) fn listen(mut self, address: impl Display + Copy) -> Self {
        self.listen = address.to_string();
        self
    }

    pub(crate) fn s3_listen(mut self, address: impl Display + Copy) -> Self {
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

    /// Starts something that is expected to end by itself.
    pub(crate) fn run_to_exit(self) -> Exit {
        let folder = TempDir::new().expect("a folder for the test");
        let mut process = self.spawn(folder.path());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = process.child.try_wait().expect("the process can be asked") {
                break status;
            }
            if started.elapsed() > DEADLINE {
                panic!(
                    "still running after {DEADLINE:?}, expected it to exit\n{}",
                    logs(folder.path())
                );
            }
            thread::sleep(Duration::from_millis(10));
        };
        let read = |name| fs::read_to_string(folder.path().join(name)).expect("a log is readable");
        Exit {
            code: status.code(),
            stdout: read("stdout.log"),
            stderr: read("stderr.log"),
        }
    }

    fn data_dir_in(&self, folder: &Path) -> PathBuf {
        self.data_dir
            .clone()
            .unwrap_or_else(|| folder.join("waybill-data"))
    }

    fn spawn(&self, folder: &Path) -> Process {
        let log = |name| {
            File::options()
                .create(true)
                .append(true)
                .open(folder.join(name))
                .expect("a log can be opened")
        };
        let mut command = Command::new(executable::path());
        command
            .arg("up")
            .args(["--listen", &self.listen])
            .args(["--s3-listen", &self.s3_listen])
            .args(["--demo-rows", &self.demo_rows.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir_in(folder))
            .arg("--ready-file")
            .arg(folder.join("ready.json"))
            .args(&self.arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log("stdout.log"))
            .stderr(log("stderr.log"));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("WAYBILL__") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().cloned());
        let child = command.spawn().expect("the executable can be started");
        Process::watched(child, folder)
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A child that does not outlive this test run, however the run ends: a shell waits for the other
/// end of its input to close, which is ours, and then kills the child.
struct Process {
    child: Child,
    watch: Child,
}

impl Process {
    fn watched(child: Child, folder: &Path) -> Self {
        let script = r#"trap "" INT TERM; read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;
        let watch = Command::new("sh")
            .args(["-c", script, "sh", &child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        Self { child, watch }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill can be started");
        assert!(status.success(), "the process is gone before {name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watch first: once the child is waited for, its number may be another process.
        drop(self.watch.kill());
        drop(self.watch.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A running (or stopped, or killed) server and its data directory.
pub(crate) struct Server {
    launch: Launch,
    process: Option<Process>,
    addresses: Value,
    folder: TempDir,
}

impl Server {
    fn start(launch: Launch) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let mut server = Self {
            launch,
            process: None,
            addresses: Value::Null,
            folder,
        };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<(), String> {
        let ready_file = self.folder.path().join("ready.json");
        drop(fs::remove_file(&ready_file));
        let mut process = self.launch.spawn(self.folder.path());
        let started = Instant::now();
        self.addresses = loop {
            if let Some(ready) = read_json(&ready_file) {
                break ready;
            }
            let exited = process
                .child
                .try_wait()
                .map_err(|error| error.to_string())?;
            let why = match exited {
                Some(status) => format!("it ended ({status}) instead of becoming ready"),
                None if started.elapsed() > DEADLINE => format!("not ready after {DEADLINE:?}"),
                None => {
                    thread::sleep(Duration::from_millis(10));
                    continue;
                }
            };
            return Err(format!("{why}\n{}", logs(self.folder.path())));
        };
        self.process = Some(process);
        Ok(())
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the server is running")
    }

    /// `kill -9`: no chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the server is running");
        process.child.kill().expect("the server can be killed");
        process.child.wait().expect("a killed server ends");
    }

    /// SIGTERM, and how the server ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the server is running");
        process.signal("TERM");
        let started = Instant::now();
        loop {
            if let Some(status) = process.child.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "still running {DEADLINE:?} after SIGTERM"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same data directory.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it was stopped before");
        self.run().unwrap_or_else(|why| panic!("{why}"));
    }

    /// The address of the API as the ready file has it, without a slash at the end.
    pub(crate) fn api(&self) -> &str {
        let api = self.addresses["api"].as_str();
        api.expect("the ready file names the API")
            .trim_end_matches('/')
    }

    /// The address of the embedded S3.
    pub(crate) fn s3(&self) -> &str {
        let s3 = self.addresses["s3"].as_str();
        s3.expect("the ready file names the S3")
            .trim_end_matches('/')
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(self.api())
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.launch.data_dir_in(self.folder.path())
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout.log")).expect("the log is readable")
    }

    /// The most memory that the process has held so far.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process().child.id());
        let status = fs::read_to_string(path).expect("the process has a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("Linux tells the peak")
            * 1024
    }

    /// The demo's own database: whichever SQLite file of the data directory holds `sessions`.
    pub(crate) fn demo_database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        files_under(&self.data_dir())
            .into_iter()
            .filter(|path| starts_with(path, b"SQLite format 3\0"))
            .filter_map(|path| Connection::open_with_flags(path, flags).ok())
            .find(|database| database.table_exists(None, "sessions").unwrap_or(false))
            .expect("the data directory holds the demo's database")
    }

    /// The files below the folder of the embedded S3 that belong to this export.
    pub(crate) fn objects_of(&self, export_id: &str) -> Vec<PathBuf> {
        files_under(&self.data_dir())
            .into_iter()
            .filter(|path| path.iter().any(|part| part == export_id))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            show(&logs(self.folder.path()));
        }
    }
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
            show(&logs(self.0.folder.path()));
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

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn logs(folder: &Path) -> String {
    let mut text = String::new();
    for name in ["stdout.log", "stderr.log"] {
        let log = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        text.push_str(&format!("--- {name} of the server\n{}\n", shown.join("\n")));
    }
    text
}

#[expect(
    clippy::print_stderr,
    reason = "what a failed test needs to be understood"
)]
fn show(text: &str) {
    eprintln!("{text}");
}
