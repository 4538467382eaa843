//! The log of a process: where it goes and how a line looks.

use std::error::Error;
use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{LogFormat, LogSettings};

/// Sends the log to standard error from now on. Called once, by the executable.
///
/// # Errors
/// When `log.filter` cannot be read.
pub fn init(settings: &LogSettings) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    match settings.format {
        LogFormat::Text => log.with_target(false).init(),
        // The innermost span is ours, and has all that is to be known of its request or export.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

/// An error and what caused it, in one line. A cause that its error has told already is not told again.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    text
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
