//! The log of a process: where it goes and how a line looks.
//!
//! Logging neither waits nor fails. A line of text holds nothing that ends it or commands a terminal,
//! whatever it tells of: that is seen to here, so that nobody who logs has to.

#![deny(missing_docs)]

mod escape;
mod lines;
pub mod metrics;

use std::error::Error;
use std::io::{IsTerminal as _, stderr};
use std::panic;

use serde::Deserialize;
use sqlx::postgres::PgDatabaseError;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use self::escape::EscapedFields;
use self::lines::Lines;

pub use self::escape::escaped;
pub(crate) use self::lines::lost;
pub use self::lines::{count_lost_line, flush};

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

/// An error and what caused it, in one line. A cause that its error has told already is not told again.
///
/// What PostgreSQL says is told without the line of its own source, which its error ends with.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut places = without_place(error).into_iter().collect::<Vec<_>>();
    let mut source = error.source();
    while let Some(cause) = source {
        places.extend(without_place(cause));
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    for (told, plain) in places {
        text = text.replace(&told, &plain);
    }
    text
}

/// What an error of PostgreSQL displays as, and the same without a line of PostgreSQL's source.
fn without_place(error: &(dyn Error + 'static)) -> Option<(String, String)> {
    let Some(sqlx::Error::Database(told)) = error.downcast_ref() else {
        return None;
    };
    let server = told.try_downcast_ref::<PgDatabaseError>()?;
    Some((server.to_string(), server.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("it failed: {0}")]
        Telling(#[source] std::io::Error),
        #[error("it failed")]
        Silent(#[source] std::io::Error),
    }

    #[test]
    fn every_cause_is_told_once() {
        let cause = || std::io::Error::other("no such thing");
        for error in [Fault::Telling(cause()), Fault::Silent(cause())] {
            assert_eq!(chain(&error), "it failed: no such thing");
        }
    }
}
