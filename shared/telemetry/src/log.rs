//! Where the log of a process goes and how a line looks.

use std::io::{IsTerminal as _, stderr};
use std::panic;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::escape::EscapedFields;
use crate::lines::{Lines, flush};

/// Libraries to which a stranger's mistake is an error of theirs. What fails in the embedded store is
/// logged by the store. A filter that names them gets them.
const SILENT: &str = "s3s=off,s3s_fs=off";

/// `[log]`: what a process says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// A level, or levels by module, as `tracing_subscriber::EnvFilter` reads them; not yet parsed.
    pub filter: String,
    /// How a line is written.
    pub format: LogFormat,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the log to standard error from now on, panics included. Called once, by the executable.
///
/// # Errors
/// When `log.filter` cannot be read.
pub fn init(settings: &LogSettings) -> Result<(), ParseError> {
    EnvFilter::builder().parse(&settings.filter)?;
    let filter = EnvFilter::builder().parse(format!("{SILENT},{}", settings.filter))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(Lines::start());
    match settings.format {
        LogFormat::Text => log.with_target(false).fmt_fields(EscapedFields).init(),
        // The innermost span is ours, and has all that is to be known of its request or export.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let cause = panic.payload_as_str().unwrap_or("without a text");
        tracing::error!(place, cause, "a thread panicked");
        flush();
    }));
    Ok(())
}
