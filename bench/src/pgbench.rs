//! pgbench: what PostgreSQL itself gives for the same SQL text.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;

use crate::fixture::Fixture;
use crate::load::CLIENTS;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Transactions per second, without the time to connect.
    pub(crate) rate: f64,
    /// Of each transaction.
    pub(crate) latencies: Vec<Duration>,
}

/// Runs this statement with as many clients as everybody, for `seconds`.
pub(crate) fn run(fixture: &Fixture<'_>, sql: &str, seconds: u64) -> anyhow::Result<Outcome> {
    let script = fixture.scratch().join("report.sql");
    fs::write(&script, format!("{sql};\n"))?;
    let log = fixture.scratch().join("pgbench");
    let output = fixture
        .postgres_program("pgbench")
        .args(["--no-vacuum", "--jobs", "2", "--log", "--log-prefix"])
        .arg(&log)
        .args(["--client", &CLIENTS.to_string()])
        .args(["--time", &seconds.to_string(), "--file"])
        .arg(&script)
        .arg(fixture.source.url())
        .stdin(Stdio::null())
        .output()
        .context("pgbench cannot be started")?;
    anyhow::ensure!(
        output.status.success(),
        "pgbench failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary = String::from_utf8_lossy(&output.stdout);
    let rate = summary
        .lines()
        .find_map(|line| line.strip_prefix("tps = "))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("pgbench tells no tps: {summary}"))?;
    Ok(Outcome {
        rate,
        latencies: take_logs(fixture.scratch())?,
    })
}

/// Reads the logs, one a thread, and removes them. The third field of a line is the transaction's
/// time in microseconds.
fn take_logs(folder: &Path) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("pgbench.") {
            continue;
        }
        for line in fs::read_to_string(entry.path())?.lines() {
            let micros = line.split(' ').nth(2).and_then(|field| field.parse().ok());
            let micros = micros.with_context(|| format!("pgbench logged {line}"))?;
            latencies.push(Duration::from_micros(micros));
        }
        fs::remove_file(entry.path())?;
    }
    Ok(latencies)
}
