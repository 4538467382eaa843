//! Terminals of a newcomer, who pastes blocks into them as they stand, but for this: `cargo run --release` and
//! `waybill` are the executable under test, and a service listens at free ports, by which the ports that a page
//! names are replaced.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Block, root};
use crate::harness::executable;
use crate::harness::process::Process;

/// What a page shows as an answer at once is one however busy this machine is.
const PATIENT: &str = "WAYBILL__INLINE__TIMEOUT_SECONDS=60 WAYBILL__INLINE__QUEUE_WAIT_MS=60000 \
                       WAYBILL__EXPORTS__FRESHNESS_TIMEOUT_MS=60000";

/// A newcomer's terminals in one folder.
pub(crate) struct Terminals {
    folder: TempDir,
    services: Vec<Process>,
    /// Where the page says that a service is, and where it is.
    places: Vec<(String, String)>,
}

impl Terminals {
    /// In a folder that has nothing but the examples, with the executable on the path.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        symlink(executable::path(), folder.path().join("waybill")).expect("a link");
        symlink(root().join("examples"), folder.path().join("examples")).expect("a link");
        Self {
            folder,
            services: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many services run.
    pub(crate) fn services(&self) -> usize {
        self.services.len()
    }

    /// Where the service is that the page has at this place.
    pub(crate) fn url_of(&self, place: &str) -> String {
        let found = self.places.iter().find(|(named, _)| named == place);
        format!("http://{}", found.expect("it was started").1)
    }

    /// Runs a block: to its end, and then returns what it printed, or in a terminal of its own.
    pub(crate) fn run(&mut self, block: &Block) -> Option<String> {
        match block.place() {
            Some(place) => {
                self.serve(block, place);
                None
            }
            None => Some(self.paste(block)),
        }
    }

    /// Starts what a block starts, and waits until that is ready.
    fn serve(&mut self, block: &Block, place: &str) {
        let number = self.services.len();
        let ready_file = self.folder.path().join(format!("{number}.ready"));
        // What is added has to come before a remark.
        let command = block.text.split(" #").next().unwrap_or_default().trim();
        // Not a child of the shell's, which would outlive it.
        let mut script = format!("exec env {PATIENT} {command}")
            .replace("cargo run --release --", "waybill up")
            .replace("cargo run --release", "waybill up");
        let listens: &[&str] = if script.contains("waybill up") {
            &["--listen", "--s3-listen"]
        } else {
            &["--listen"]
        };
        for listen in listens {
            script = with_free_port(&script, listen);
        }
        script.push_str(" --ready-file ");
        script.push_str(&ready_file.display().to_string());
        let bash = self.bash(&script);
        let mut process = Process::start(bash, &format!("service-{number}"), self.folder.path());
        let addresses = process.ready(&ready_file);
        let addresses = addresses.unwrap_or_else(|why| panic!("{}: {why}", block.at));
        let address = ["api", "worker"]
            .iter()
            .find_map(|name| addresses[*name].as_str());
        let port = address.and_then(|url| url.rsplit(':').next());
        let port = port.expect("an address");
        let host = place.split(':').next().expect("a host");
        self.places
            .push((place.to_owned(), format!("{host}:{port}")));
        self.services.push(process);
    }

    /// Runs a block to its end, after those before it; returns what it prints.
    fn paste(&self, block: &Block) -> String {
        let mut text = block.text.clone();
        for (named, actual) in &self.places {
            text = text.replace(named, actual);
        }
        // What a block sets is there for the next one, as in one terminal.
        let script = format!(
            "set -aeo pipefail\n[ ! -f .variables ] || . ./.variables\n{text}\nexport -p > .variables\n"
        );
        let mut process = Process::start(self.bash(&script), &name_of(block), self.folder.path());
        let status = process.wait();
        let log = process.log();
        assert!(status.success(), "{}: {}", block.at, log.shown());
        log.stdout()
    }

    /// Writes a block to its file, or behind what is in it.
    pub(crate) fn write(&self, block: &Block, name: &str, behind: bool) {
        let path = self.folder.path().join(name);
        let file = File::options()
            .create(true)
            .write(true)
            .append(behind)
            .truncate(!behind)
            .open(path);
        let written = file.and_then(|mut file| file.write_all(block.text.as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", block.at));
    }

    /// Sends a block to the service as the body of a request; returns the answer's.
    pub(crate) fn send(&self, block: &Block, method: &str, path: &str, status: &str) -> String {
        let base = self.url_of("localhost:8080");
        fs::write(self.folder.path().join(".body"), &block.text).expect("a file");
        let script = format!(
            "curl -sS -X {method} -H 'content-type: application/json' --data @.body -w '\\n%{{http_code}}' {base}/{path}"
        );
        let mut process = Process::start(self.bash(&script), &name_of(block), self.folder.path());
        let ended = process.wait();
        let log = process.log();
        assert!(ended.success(), "{}: {}", block.at, log.shown());
        let printed = log.stdout();
        let (body, code) = printed.rsplit_once('\n').expect("a status at the end");
        assert_eq!(code, status, "{}: {body}", block.at);
        body.to_owned()
    }

    fn bash(&self, script: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["-c", script]).current_dir(self.folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        bash.env("PATH", format!("{}:{path}", self.folder.path().display()));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WAYBILL__") {
                bash.env_remove(name);
            }
        }
        bash
    }
}

/// The command with a port of its own for this flag, whether or not it has one.
fn with_free_port(command: &str, flag: &str) -> String {
    const FREE: &str = "127.0.0.1:0";
    let flag = format!(" {flag} ");
    let Some((before, after)) = command.split_once(&flag) else {
        return format!("{command}{flag}{FREE}");
    };
    let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{before}{flag}{FREE} {rest}")
}

/// The name of the files that hold what a block prints.
fn name_of(block: &Block) -> String {
    block.at.replace(['/', ':'], "-")
}

#[test]
fn a_service_of_a_page_listens_at_a_free_port() {
    assert_eq!(
        with_free_port("waybill --listen 1.2.3.4:80 --x", "--listen"),
        "waybill --listen 127.0.0.1:0 --x"
    );
}
