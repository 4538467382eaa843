//! A process of the executable: started with its output in a folder, ended with the test run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use waybill_test_services::{memory, watch};

use super::DEADLINE;

/// Lines of a log that a failing test shows.
const SHOWN_LINES: usize = 80;

/// Between two looks at a process.
const INTERVAL: Duration = Duration::from_millis(10);

/// A child that does not outlive this test run, however the run ends.
pub(crate) struct Process {
    child: Child,
    watch: Child,
    log: Log,
}

impl Process {
    /// Starts a command whose output goes to `NAME.stdout` and `NAME.stderr` in the folder.
    pub(crate) fn start(mut command: Command, name: &str, folder: &Path) -> Self {
        let log = Log {
            name: name.to_owned(),
            folder: folder.to_owned(),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(log.open("stdout"))
            .stderr(log.open("stderr"))
            .spawn()
            .expect("the executable can be started");
        let watch = watch::end_with_us(&child, folder, watch::KILL);
        Self { child, watch, log }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be asked")
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "still running after {DEADLINE:?}, expected it to end\n{}",
                self.log.shown()
            );
            thread::sleep(INTERVAL);
        }
    }

    /// Waits until it has written its ready file.
    pub(crate) fn ready(&mut self, file: &Path) -> Result<serde_json::Value, String> {
        let started = Instant::now();
        loop {
            let written = fs::read(file).ok();
            if let Some(ready) = written.and_then(|text| serde_json::from_slice(&text).ok()) {
                return Ok(ready);
            }
            let why = match self.ended() {
                Some(status) => format!("it ended ({status}) instead of becoming ready"),
                None if started.elapsed() > DEADLINE => format!("not ready after {DEADLINE:?}"),
                None => {
                    thread::sleep(INTERVAL);
                    continue;
                }
            };
            return Err(format!("{why}\n{}", self.log.shown()));
        }
    }

    /// `kill -9`: no chance to say goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("a killed process ends");
    }

    /// What it was started as.
    pub(crate) fn name(&self) -> &str {
        self.log.name()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill can be started");
        assert!(status.success(), "the process is gone before {name}");
    }

    /// The most memory that it has held so far.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        memory::peak_bytes(self.child.id()).expect("Linux tells the peak")
    }

    /// What it printed.
    pub(crate) fn log(&self) -> &Log {
        &self.log
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

/// What the processes of one name in one folder printed, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    name: String,
    folder: PathBuf,
}

impl Log {
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.path("stdout")).expect("the log is readable")
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).expect("the log is readable")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last lines, for the message of a failing test.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        for stream in ["stdout", "stderr"] {
            let log = fs::read_to_string(self.path(stream)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            let name = &self.name;
            text.push_str(&format!("--- {stream} of {name}\n{}\n", shown.join("\n")));
        }
        text
    }

    fn path(&self, stream: &str) -> PathBuf {
        self.folder.join(format!("{}.{stream}", self.name))
    }

    fn open(&self, stream: &str) -> File {
        let open = || -> io::Result<File> {
            File::options()
                .create(true)
                .append(true)
                .open(self.path(stream))
        };
        open().expect("a log can be opened")
    }
}
