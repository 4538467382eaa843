//! Servers that do not outlive the process that started them, however it ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The script for a server that has nothing to put in order.
pub const KILL: &str = r#"kill -9 "$1" 2>/dev/null"#;

/// A shell that waits for the other end of its input to close, which is this process's, then runs
/// `script` with `$1` = the server's process id, and removes the folder.
///
/// # Panics
/// When there is no shell.
#[must_use]
pub fn end_with_us(server: &Child, folder: &Path, script: &str) -> Child {
    let script = format!(r#"trap "" INT TERM HUP; read -r _; {script}; rm -rf "$2""#);
    Command::new("sh")
        .args(["-c", &script, "sh", &server.id().to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell can be started")
}
