//! What the bench is doing, on standard error: the table alone is its output.

use std::fmt::Display;

/// Writes one line.
#[expect(
    clippy::print_stderr,
    reason = "a run takes minutes, and its user wants to see it move"
)]
pub(crate) fn line(text: impl Display) {
    eprintln!("{text}");
}
