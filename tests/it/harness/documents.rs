//! The README's blocks, and terminals to paste them into.
//!
//! Every block is run as it stands, but for this: `cargo run --release` and `waybill` are the executable under
//! test, and a service listens at free ports, by which the ports that the README names are replaced. What a
//! block needs besides is said by a comment in front of it, which nobody sees on the rendered page:
//!
//! * `<!-- a terminal of its own, at HOST:PORT -->`: it goes on running, and serves the rest there;
//! * `<!-- own installation -->`: it is about databases and a store of the reader's own;
//! * `<!-- left out: REASON -->`: it is not run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::executable;
use super::process::Process;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// Members whose values are different each time.
const PASSING: [&str; 14] = [
    "as_of",
    "created_at",
    "estimated_rows",
    "expires_at",
    "freshness_lag_ms",
    "href",
    "id",
    "materialized_at",
    "percent",
    "retry_after_seconds",
    "rows",
    "self_url",
    "status",
    "url",
];

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// The comment right in front of it.
    comment: Option<String>,
    /// Where it begins in the README, in lines.
    line: usize,
}

impl Block {
    /// Why it is not run.
    pub(crate) fn left_out(&self) -> Option<&str> {
        self.comment.as_deref()?.strip_prefix("left out: ")
    }

    /// Where what it starts is to be found.
    fn place(&self) -> Option<&str> {
        let (_, place) = self
            .comment
            .as_deref()?
            .split_once("a terminal of its own, at ")?;
        Some(place)
    }

    /// Whether it is about an installation of the reader's own.
    pub(crate) fn is_of_own_installation(&self) -> bool {
        let comment = self.comment.as_deref();
        comment.is_some_and(|comment| comment.starts_with("own installation"))
    }
}

/// The README's blocks, in their order.
pub(crate) fn blocks() -> Vec<Block> {
    let readme = fs::read_to_string(Path::new(README)).expect("the README");
    let readme = readme.as_str();
    let mut blocks = Vec::new();
    let mut lines = readme.lines().zip(1..);
    let mut before = "";
    while let Some((line, number)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            before = line;
            continue;
        };
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(line, _)| line)
            .take_while(|line| *line != "```")
            .collect();
        let comment = before.strip_prefix("<!-- ");
        blocks.push(Block {
            language: language.to_owned(),
            text: text.join("\n") + "\n",
            comment: comment.map(|comment| comment.trim_end_matches(" -->").to_owned()),
            line: number,
        });
        before = "";
    }
    blocks
}

/// A newcomer's terminals in one folder.
pub(crate) struct Terminals {
    folder: TempDir,
    services: Vec<Process>,
    /// Where the README says that a service is, and where it is.
    places: Vec<(String, String)>,
}

impl Terminals {
    /// In an empty folder, with the executable on the path.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        symlink(executable::path(), folder.path().join("waybill")).expect("a link");
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

    /// Where the service is that the README has at this place.
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
        let mut script = format!("exec env {command}")
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
        let addresses = addresses.unwrap_or_else(|why| panic!("line {}: {why}", block.line));
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
        let name = format!("line-{}", block.line);
        let mut process = Process::start(self.bash(&script), &name, self.folder.path());
        let status = process.wait();
        let log = process.log();
        assert!(status.success(), "line {}: {}", block.line, log.shown());
        log.stdout()
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

/// Holds what a block printed against what the README says that it prints.
pub(crate) fn compare(said: &Block, printed: &str) {
    let at = said.line;
    if said.language == "text" {
        for line in said.text.lines().filter(|line| !line.contains('…')) {
            assert!(
                printed.lines().any(|printed| printed == line),
                "line {at}: {line:?} is not in\n{printed}"
            );
        }
        return;
    }
    for (name, value) in members(&said.text) {
        let stated = format!("\"{name}\":");
        assert!(
            printed.contains(&stated),
            "line {at}: no {name} in {printed}"
        );
        let lasting = !PASSING.contains(&name.as_str()) && !value.contains('…');
        if lasting && !value.starts_with(['{', '[']) {
            let stated = format!("{stated}{value}");
            assert!(
                printed.contains(&stated),
                "line {at}: {stated} in {printed}"
            );
        }
    }
}

/// The names of members in something like JSON, and their values as they are written; of an object or an
/// array only its begin.
fn members(text: &str) -> Vec<(String, String)> {
    let mut members = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (string, after) = string(&rest[at..]);
        rest = after;
        let Some(value) = after.strip_prefix(':') else {
            continue;
        };
        let value = value.trim_start();
        let value = if value.starts_with('"') {
            self::string(value).0
        } else {
            let end = value.find([',', '}', ']', '\n']).unwrap_or(value.len());
            value[..end].to_owned()
        };
        members.push((string.trim_matches('"').to_owned(), value));
    }
    members
}

/// The string that a text begins with, quotes included, and what follows it.
fn string(text: &str) -> (String, &str) {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return (text[..=at].to_owned(), &text[at + 1..]),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (text.to_owned(), "")
}

#[test]
fn what_the_readme_says_is_read_as_it_is_meant() {
    let text = "{\"a\":1,\"b\":\"x\\\"y,\",\n \"c\":{\"d\":null},\"e\":\"…\"}";
    let found = members(text);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("a", "1"),
            ("b", "\"x\\\"y,\""),
            ("c", "{\"d\":null"),
            ("d", "null"),
            ("e", "\"…\"")
        ]
    );
    assert_eq!(
        with_free_port("waybill --listen 1.2.3.4:80 --x", "--listen"),
        "waybill --listen 127.0.0.1:0 --x"
    );
}
