//! A `PgBouncer` in front of a cluster, with the defaults of its package.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres::{Cluster, SUPERUSER, free_port};
use crate::watch;

/// How long it may take to start. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(30);

const INSTALL: &str =
    "install it with `apt-get install pgbouncer` (Debian, Ubuntu) or let tests/run.sh do so";

/// How long a connection of the server stays a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// Until the client disconnects.
    Session,
    /// From the beginning to the end of each transaction.
    Transaction,
}

/// A running pooler. Dropped, or when this process ends in any way, it is gone.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    watch: Child,
    port: u16,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts a pooler for every database and role of the cluster.
    ///
    /// # Panics
    /// When `PgBouncer` is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(cluster: &Cluster, mode: PoolMode) -> Self {
        let folder = TempDir::with_prefix("waybill-pgbouncer-").expect("a folder for the pooler");
        let owner = cluster.owner();
        owner.take(folder.path());
        let port = free_port();
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let at = folder.path().display();
        // Whoever connects is the superuser: it is the sessions that matter here.
        let config = format!(
            "[databases]
* = host=127.0.0.1 port={server} user={SUPERUSER}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
logfile = {at}/log
pidfile = {at}/pid
auth_type = any
pool_mode = {mode}
",
            server = cluster.address().port()
        );
        let file = folder.path().join("pgbouncer.ini");
        owner.write(&file, config.as_bytes());
        let mut command = owner.command(&program());
        let process = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("pgbouncer can be started");
        let watch = watch::end_with_us(&process, folder.path(), watch::KILL);
        let pooler = Self {
            process,
            watch,
            port,
            folder,
        };
        let started = Instant::now();
        while std::net::TcpStream::connect(pooler.address()).is_err() {
            let log = pooler.folder.path().join("log");
            assert!(
                started.elapsed() < DEADLINE,
                "PgBouncer did not start within {DEADLINE:?}\n{}",
                fs::read_to_string(log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@{}/{database}", self.address())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // The watch first: once the pooler is waited for, its number may be another process.
        drop(self.watch.kill());
        drop(self.watch.wait());
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Debian's place, or the PATH.
fn program() -> PathBuf {
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("pgbouncer"))
            .find(|program| program.is_file())
    };
    let debian = Path::new("/usr/sbin/pgbouncer");
    debian
        .is_file()
        .then(|| debian.to_owned())
        .or_else(on_path)
        .unwrap_or_else(|| panic!("these tests need PgBouncer; {INSTALL}"))
}
