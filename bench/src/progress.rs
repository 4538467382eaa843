//! What the bench is doing, on standard error: the table alone is its output.

/// Says one line.
#[expect(
    clippy::print_stderr,
    reason = "a run takes minutes, and its user wants to see it move"
)]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
