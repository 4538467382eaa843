//! What every command runs on: a log and a runtime.

use anyhow::Context as _;
use waybill_config::LogSettings;

use crate::error::StartError;

/// Runs a command to its end, with this log.
pub(crate) fn run(
    log: &LogSettings,
    command: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    waybill_telemetry::init(log)
        .map_err(|error| StartError::usage(format_args!("log.filter: {error}")))?;
    block_on(command)
}

/// Runs what needs no log to its end.
pub(crate) fn block_on<T, E: From<anyhow::Error>>(
    command: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(command);
    // A query that is being interrupted must not hold the process.
    runtime.shutdown_background();
    outcome
}
