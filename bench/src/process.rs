//! Processes that are measured: started with a log of their own, watched, and gone with the benchmark.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use waybill_test_services::{memory, watch};

/// Lines of a log that an error shows.
const SHOWN_LINES: usize = 30;

/// Ticks of a second in `/proc/PID/stat`: `USER_HZ`, 100 wherever this runs.
const TICKS: f64 = 100.0;

/// How often a running command is looked at. Short beside what it takes, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(2);

/// A process in the background. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    watch: Child,
    folder: TempDir,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("waybill-bench-process-")?;
        let log = File::create(folder.path().join("log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the benchmark, with whose end the watch ends this one.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let watch = watch::end_with_us(&child, folder.path(), watch::KILL);
        Ok(Self {
            name,
            child,
            watch,
            folder,
        })
    }

    /// Fails, with the end of its log, when it has ended.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status})\n{}", self.name, self.log()),
        }
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// The most memory that it has held so far, in bytes.
    pub(crate) fn peak_memory_bytes(&self) -> anyhow::Result<u64> {
        memory::peak_bytes(self.child.id()).context("its memory is not known")
    }

    /// Seconds of processor time that it has used so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.child.id())
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

/// Seconds of processor time that a process has used so far, user and system.
pub(crate) fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(proc_file(process, "stat"))?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no program name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap_or_default())
        .sum();
    Ok(ticks as f64 / TICKS)
}

fn proc_file(process: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{name}"))
}

/// Runs commands, the output of each being the input of the next, and returns how long it took until
/// all had ended. The last one's output goes where its command says.
///
/// # Errors
/// When one cannot be started, fails, or runs longer than `longest`; none is left running.
pub(crate) fn run_pipe(mut commands: Vec<Command>, longest: Duration) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut running = Running(Vec::new());
    let mut input = Stdio::null();
    let last = commands.len().saturating_sub(1);
    for (number, command) in commands.iter_mut().enumerate() {
        command.stdin(input);
        if number < last {
            command.stdout(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", program(command)))?;
        input = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
        running.0.push(child);
    }
    for (command, child) in commands.iter().zip(&mut running.0) {
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            anyhow::ensure!(
                started.elapsed() < longest,
                "{} ran longer than {longest:?}",
                program(command)
            );
            thread::sleep(LOOK);
        };
        anyhow::ensure!(status.success(), "{} failed ({status})", program(command));
    }
    Ok(started.elapsed())
}

/// Children that end with this value.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Nothing to do for one that has ended.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
