//! `psql COPY … csv`, which has the server format every cell: the measure of a quick export.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::dataset;
use crate::fixture::Fixture;
use crate::process::run_pipe;

/// How long it may take.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// The command, its output not yet directed.
pub(crate) fn command(fixture: &Fixture<'_>) -> Command {
    let mut psql = fixture.postgres_program("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args(["--command", &dataset::copy()])
        .arg(fixture.source.url());
    psql
}

/// `psql COPY … csv > /dev/null`.
pub(crate) fn to_null(fixture: &Fixture<'_>) -> anyhow::Result<Duration> {
    let mut psql = command(fixture);
    psql.stdout(Stdio::null());
    run_pipe(vec![psql], LONGEST)
}

/// The bytes that it writes. Not timed.
pub(crate) fn bytes(fixture: &Fixture<'_>) -> anyhow::Result<u64> {
    let mut psql = command(fixture)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = psql.stdout.take().context("psql has no output")?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    anyhow::ensure!(psql.wait()?.success(), "psql failed");
    Ok(bytes)
}
