//! What ends a process before its time, and with which exit code.

use std::fmt;
use std::process::ExitCode;

use waybill_telemetry::{chain, escaped};

use crate::output;

/// What keeps a command from doing what it was asked for.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Bad usage or configuration; the text names the setting. Exit code 2.
    Usage(String),
    /// What a check that was asked for found: a text for each line. Exit code 1.
    Found(String),
    /// Anything else. Exit code 1.
    Failed(anyhow::Error),
}

impl StartError {
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::Usage(text.to_string())
    }

    /// Tells the operator and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                output::remark(text);
                ExitCode::from(2)
            }
            Self::Found(text) => {
                output::remark(text);
                ExitCode::FAILURE
            }
            Self::Failed(error) => {
                output::remark(format_args!("waybill: {}", escaped(&chain(error.as_ref()))));
                ExitCode::FAILURE
            }
        }
    }
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
