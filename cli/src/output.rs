//! What commands say to whoever called them: results on standard output, remarks on standard error.
//!
//! Print macros panic when nobody reads. Here a result that cannot be written is an error of the command,
//! and whatever else cannot be written is no error at all.

use std::fmt::Display;
use std::io::{Write as _, stderr, stdout};

use anyhow::Context as _;
use waybill_telemetry::escaped;

/// Prints a line of what the command was asked for.
pub(crate) fn result(line: impl Display) -> anyhow::Result<()> {
    text(escaped(&line.to_string()), "\n")
}

/// Prints a file that the command was asked for, as it is.
pub(crate) fn file(content: &str) -> anyhow::Result<()> {
    text(content, "")
}

fn text(text: impl Display, end: &str) -> anyhow::Result<()> {
    let mut output = stdout().lock();
    let written = write!(output, "{text}{end}").and_then(|()| output.flush());
    written.context("standard output cannot be written")
}

/// Prints what a service has to say at its start; it serves also where nobody reads that.
pub(crate) fn greeting(text: &str) {
    let mut output = stdout().lock();
    let written = output.write_all(text.as_bytes());
    if written.and_then(|()| output.flush()).is_err() {
        waybill_telemetry::count_lost_line();
    }
}

/// Tells a person something, in lines of their own.
pub(crate) fn remark(lines: impl Display) {
    // After what was logged until now.
    waybill_telemetry::flush();
    for line in lines.to_string().lines() {
        let told = writeln!(stderr().lock(), "{}", escaped(line));
        if told.is_err() {
            waybill_telemetry::count_lost_line();
        }
    }
}
