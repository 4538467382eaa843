//! A PostgreSQL cluster of one's own: any number of empty databases, each in some 30 ms.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::watch;

/// The superuser of every cluster, who needs no password.
pub const SUPERUSER: &str = "postgres";

/// How long a server may take to answer. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(60);

/// Ends the postmaster and its backends at once, and waits until its lock file is gone.
const END: &str = r#"kill -QUIT "$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
kill -9 "$1" 2>/dev/null"#;

/// How a cluster is set up.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    settings: Vec<String>,
    durable: bool,
    host_rules: Option<String>,
    files: Vec<(String, Vec<u8>)>,
}

impl Setup {
    /// A cluster that is quick and forgets on a power cut.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a setting of the server, such as `work_mem = 64MB`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("{name}={value}"));
        self
    }

    /// Syncs to disk as a production server does: for benchmarks.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Replaces `pg_hba.conf`; see its documentation for the lines' form.
    #[must_use]
    pub fn host_rules(mut self, rules: &str) -> Self {
        self.host_rules = Some(rules.to_owned());
        self
    }

    /// Puts a file, such as a certificate, into the data directory; only the server may read it.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// Starts the cluster and waits until it takes connections.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(self) -> Cluster {
        let programs = programs();
        let folder = TempDir::with_prefix("waybill-postgres-").expect("a folder for the cluster");
        let owner = Owner::of_servers();
        owner.take(folder.path());
        let data = folder.path().join("data");
        let made = owner
            .command(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            // ICU's order of texts differs from that of bytes: what should compare bytes must say so.
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--locale-provider=icu", "--icu-locale=en-US"])
            .args(["--username", SUPERUSER])
            .output();
        succeeded("initdb", &made.expect("initdb can be started"));
        if let Some(rules) = &self.host_rules {
            let rules = format!("local all all trust\n{rules}\n");
            owner.write(&data.join("pg_hba.conf"), rules.as_bytes());
        }
        for (name, content) in &self.files {
            owner.write(&data.join(name), content);
        }
        Cluster::started(self, programs, owner, folder)
    }
}

/// A running (or stopped) cluster. Dropped, or when this process ends in any way, it is gone.
#[derive(Debug)]
pub struct Cluster {
    setup: Setup,
    programs: PathBuf,
    owner: Owner,
    port: u16,
    server: Mutex<Option<Server>>,
    folder: TempDir,
    databases: AtomicU32,
}

/// The postmaster and the shell that ends it.
#[derive(Debug)]
struct Server {
    postmaster: Child,
    watch: Child,
}

impl Cluster {
    /// The cluster that all tests of a process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| Setup::new().start())
    }

    /// A cluster whose data lies in this folder.
    fn started(setup: Setup, programs: PathBuf, owner: Owner, folder: TempDir) -> Self {
        let mut cluster = Self {
            setup,
            programs,
            owner,
            port: 0,
            server: Mutex::default(),
            folder,
            databases: AtomicU32::new(0),
        };
        let (port, server) = cluster.run(None);
        cluster.port = port;
        *cluster.server.lock() = Some(server);
        cluster
    }

    /// Starts a streaming standby of this cluster, set up alike. It takes queries that only read.
    ///
    /// # Panics
    /// When the data cannot be copied, for example because the cluster has host rules of its own.
    #[must_use]
    pub fn standby(&self) -> Self {
        let folder = TempDir::with_prefix("waybill-standby-").expect("a folder for the standby");
        self.owner.take(folder.path());
        let copied = self
            .owner
            .command(&self.programs.join("pg_basebackup"))
            .args(["--checkpoint=fast", "--no-sync", "--wal-method=stream"])
            .args(["--write-recovery-conf", "--username", SUPERUSER, "--host"])
            .arg(self.folder.path())
            .args(["--port", &self.port.to_string(), "--pgdata"])
            .arg(folder.path().join("data"))
            .output();
        succeeded(
            "pg_basebackup",
            &copied.expect("pg_basebackup can be started"),
        );
        Self::started(
            self.setup.clone(),
            self.programs.clone(),
            self.owner,
            folder,
        )
    }

    /// Waits until this standby shows what its primary has committed by now.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn catch_up_with(&self, primary: &Self) {
        let written = primary.written();
        let started = Instant::now();
        while !self.has_replayed(&written) {
            assert!(started.elapsed() < DEADLINE, "the standby does not follow");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// How far this primary's log is written: what [`has_replayed`](Self::has_replayed) takes. All until
    /// there is on its way to standbys: what a VACUUM wrote would else wait for the next commit.
    #[must_use]
    pub fn written(&self) -> String {
        self.psql(
            SUPERUSER,
            "SELECT pg_logical_emit_message(true, 'test', 'written')",
        )
    }

    /// Whether this standby has come so far in its primary's log.
    #[must_use]
    pub fn has_replayed(&self, written: &str) -> bool {
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        self.psql(SUPERUSER, &replayed) == "t"
    }

    /// How often this standby has waited for readings that were in the way of what it replays, as far as
    /// its log tells (`log_recovery_conflict_waits`).
    ///
    /// # Panics
    /// Without a log.
    #[must_use]
    pub fn recovery_waits(&self) -> usize {
        let log = fs::read_to_string(self.log()).expect("a log");
        log.matches("recovery still waiting").count()
    }

    /// Whether this standby has come so far in its primary's log, or has waited more often than `waits`:
    /// a reading that ends at once is not waited for.
    #[must_use]
    pub fn has_replayed_or_waits(&self, written: &str, waits: usize) -> bool {
        self.recovery_waits() > waits || self.has_replayed(written)
    }

    /// The URL of a database for a role, or for `role:password`.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{}/{database}", self.address())
    }

    /// Makes an empty database.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        Database {
            cluster: self,
            name,
        }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// The folder of PostgreSQL's programs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Runs SQL as the superuser and returns what it gives: a line a row, fields separated by `|`.
    ///
    /// # Panics
    /// When the SQL fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--host"])
            .arg(self.folder.path())
            .args(["--port", &self.port.to_string()])
            .args(["--username", SUPERUSER, "--dbname", database])
            .args(["--command", sql])
            .output();
        succeeded("psql", &output.expect("psql can be started"))
            .trim_end()
            .to_owned()
    }

    /// Ends the server as a crash of its machine would.
    pub fn stop(&self) {
        *self.server.lock() = None;
    }

    /// Starts the server again, on the same port.
    pub fn start_again(&self) {
        let mut running = self.server.lock();
        assert!(running.is_none(), "it was stopped before");
        *running = Some(self.run(Some(self.port)).1);
    }

    /// Launches the server on this port, or any, and waits until it answers there.
    fn run(&self, fixed_port: Option<u16>) -> (u16, Server) {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            // Another process may take the port in between: then the next one is tried.
            let port = fixed_port.unwrap_or_else(free_port);
            let mut server = self.launch(port);
            while started.elapsed() < DEADLINE {
                if self.answers(port) {
                    return (port, server);
                }
                if let Ok(Some(_)) = server.postmaster.try_wait() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        panic!("PostgreSQL did not start within {DEADLINE:?}\n{log}");
    }

    fn launch(&self, port: u16) -> Server {
        let mut command = self.owner.command(&self.programs.join("postgres"));
        command.arg("-D").arg(self.folder.path().join("data"));
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", self.folder.path().display()),
            "max_connections=200".to_owned(),
        ];
        if !self.setup.durable {
            settings.extend(["fsync", "full_page_writes"].map(|name| format!("{name}=off")));
        }
        settings.extend(self.setup.settings.iter().cloned());
        for setting in settings {
            command.args(["-c", &setting]);
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a log can be opened");
        let postmaster = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log has another handle"))
            .stderr(log)
            // Ctrl-C in a terminal is for the tests, which then end the server themselves.
            .process_group(0)
            .spawn()
            .expect("postgres can be started");
        let watch = watch::end_with_us(&postmaster, self.folder.path(), END);
        Server { postmaster, watch }
    }

    fn answers(&self, port: u16) -> bool {
        let status = Command::new(self.programs.join("pg_isready"))
            .args(["--quiet", "--timeout=1", "--host"])
            .arg(self.folder.path())
            .args(["--port", &port.to_string()])
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The watch first: once the server is waited for, its number may be another process.
        drop(self.watch.kill());
        drop(self.watch.wait());
        let quit = Command::new("kill")
            .args(["-s", "QUIT", &self.postmaster.id().to_string()])
            .status();
        drop(quit);
        drop(self.postmaster.wait());
    }
}

/// One database of a cluster.
#[derive(Debug)]
pub struct Database<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl Database<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL for the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(SUPERUSER)
    }

    /// Its URL for a role, or for `role:password`.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        self.cluster.url(role, &self.name)
    }

    /// Its URL for the superuser by way of a proxy.
    #[must_use]
    pub fn url_through(&self, proxy: &Proxy) -> String {
        format!("postgres://{SUPERUSER}@{}/{}", proxy.address(), self.name)
    }

    /// Runs SQL as the superuser; see [`Cluster::psql`].
    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }
}

/// Who runs the servers: PostgreSQL refuses to run as root, so then it is the user `postgres`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    ids: Option<(u32, u32)>,
}

impl Owner {
    fn of_servers() -> Self {
        let root = fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0);
        if !root {
            return Self { ids: None };
        }
        let users = fs::read_to_string("/etc/passwd").expect("a list of users");
        let ids = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&SUPERUSER))
            .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)));
        assert!(
            ids.is_some(),
            "PostgreSQL does not run as root, and there is no user postgres; {INSTALL}"
        );
        Self { ids }
    }

    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        // The folder of this process may be closed to that user.
        command.current_dir("/");
        command
    }

    pub(crate) fn take(self, path: &Path) {
        if let Some((user, group)) = self.ids {
            chown(path, Some(user), Some(group)).expect("root may give a file away");
        }
    }

    pub(crate) fn write(self, path: &Path, content: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(path, content).expect("a file of the cluster can be written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        self.take(path);
    }
}

const INSTALL: &str =
    "install it with `apt-get install postgresql` (Debian, Ubuntu) or let tests/run.sh do so";

/// Where PostgreSQL's programs are: the newest of Debian's folders, or the PATH.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = debian
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
    };
    newest
        .map(|(_, folder)| folder)
        .or_else(on_path)
        .unwrap_or_else(|| panic!("these tests need PostgreSQL's server; {INSTALL}"))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

fn succeeded(program: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "{program} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_apart_and_outlive_a_crash() {
        let cluster = Setup::new().setting("work_mem", "5MB").start();
        let (one, other) = {
            let (one, other) = (cluster.database(), cluster.database());
            one.psql("CREATE TABLE t AS SELECT 7 AS n; CHECKPOINT");
            assert_eq!(one.psql("SHOW work_mem"), "5MB");
            assert_eq!(other.psql("SELECT to_regclass('t') IS NULL"), "t");
            (one.name().to_owned(), other.name().to_owned())
        };
        let address = cluster.address();
        cluster.stop();
        cluster.start_again();
        assert_eq!(cluster.address(), address);
        assert_eq!(cluster.psql(&one, "SELECT n FROM t"), "7");
        assert_ne!(one, other);
    }

    #[test]
    fn a_standby_follows_and_only_reads() {
        let primary = Setup::new().start();
        let database = primary.database();
        let standby = primary.standby();
        database.psql("CREATE TABLE t AS SELECT 7 AS n");
        standby.catch_up_with(&primary);
        assert_eq!(standby.psql(database.name(), "SELECT n FROM t"), "7");
        assert_eq!(standby.psql(SUPERUSER, "SHOW transaction_read_only"), "on");
    }
}
