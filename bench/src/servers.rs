//! S3 servers in processes of their own: this executable, started again with a hidden subcommand.
//!
//! Such a process says its endpoint in one line and lives until its standard input ends, which is when
//! the benchmark does, however that ends.

mod discard;

pub(crate) use discard::RECEIVED;

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Subcommand;
use waybill_test_services::s3::S3;

/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(5);

/// The servers.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Server {
    /// s3s-fs on a throw-away folder
    #[command(hide = true)]
    ServeS3,
    /// An endpoint that takes every upload and keeps nothing
    #[command(hide = true)]
    ServeDiscard,
}

impl Server {
    /// Serves until standard input ends.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::ServeS3 => {
                let server = S3::start();
                announce(&server.endpoint())?;
                wait_for_end();
            }
            Self::ServeDiscard => {
                let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
                announce(&format!("http://{}", listener.local_addr()?))?;
                thread::spawn(move || discard::serve(listener));
                wait_for_end();
            }
        }
        Ok(())
    }

    /// Starts it as a process of its own.
    pub(crate) fn start(self) -> anyhow::Result<ServerProcess> {
        let name = match self {
            Self::ServeS3 => "serve-s3",
            Self::ServeDiscard => "serve-discard",
        };
        let mut child = Command::new(env::current_exe()?)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the benchmark, whose end it then sees.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut endpoint = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut endpoint)?;
        }
        let server = ServerProcess {
            child,
            endpoint: endpoint.trim_end().to_owned(),
        };
        anyhow::ensure!(
            !server.endpoint.is_empty(),
            "{name} ended instead of serving"
        );
        Ok(server)
    }
}

/// A running server. Dropped, it ends and its files are gone.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    endpoint: String,
}

impl ServerProcess {
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < END && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn announce(endpoint: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{endpoint}")?;
    stdout.flush()
}

/// Returns once the other end of standard input is closed, or if it cannot be read.
fn wait_for_end() {
    drop(io::stdin().read_to_end(&mut Vec::new()));
}
