//! Servers and folders that do not outlive the process that made them, however it ends.

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
    after_us(&format!("{script}; rm -rf \"$2\""))
        .arg(server.id().to_string())
        .arg(folder)
        .spawn()
        .expect("a shell can be started")
}

/// A shell that waits as [`end_with_us`] does, then removes the folder.
///
/// # Panics
/// When there is no shell.
#[must_use]
pub fn remove_with_us(folder: &Path) -> Child {
    after_us(r#"rm -rf "$1""#)
        .arg(folder)
        .spawn()
        .expect("a shell can be started")
}

/// The shell without the arguments of its script, `$1` and so on.
fn after_us(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!(r#"trap "" INT TERM HUP; read -r _; {script}"#))
        .arg("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    shell
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_folder_goes_when_its_watch_has_nobody_left_to_read_from() {
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("file"), "left behind").expect("a file");
        let mut watch = remove_with_us(folder.path());
        drop(watch.stdin.take());
        assert!(watch.wait().expect("its end").success());
        assert!(!folder.path().exists());
    }
}
