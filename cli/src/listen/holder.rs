//! Who listens at an address that is taken, as far as Linux tells.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// The state of a socket that listens, in the tables of the kernel.
const LISTENING: &str = "0A";

/// Returns the processes that listen at this port, such as `waybill (4711)`. Empty where nobody tells.
pub(super) fn holders(address: SocketAddr) -> Vec<String> {
    let sockets = listening(address.port());
    if sockets.is_empty() {
        return Vec::new();
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let holders = processes.filter(|process| holds(&process.path(), &sockets));
    let mut named: Vec<String> = holders
        .map(|process| {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let pid = process.file_name();
            format!("{} ({})", name.trim_end(), pid.to_string_lossy())
        })
        .collect();
    named.sort();
    named
}

/// What the files of those who listen at a port link to.
fn listening(port: u16) -> HashSet<String> {
    let port = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let tables: Vec<String> = tables.into_iter().flatten().collect();
    let sockets = tables.iter().flat_map(|table| table.lines());
    sockets
        .filter_map(|socket| {
            let mut columns = socket.split_ascii_whitespace().skip(1);
            let is_at = columns.next()?.ends_with(&port);
            let is_listening = columns.nth(1)? == LISTENING;
            let inode = columns.nth(5)?;
            (is_at && is_listening).then(|| format!("socket:[{inode}]"))
        })
        .collect()
}

/// Whether a process of ours has one of these open; others' files are not told.
fn holds(process: &Path, sockets: &HashSet<String>) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten();
    files.flatten().any(|file| {
        let link = fs::read_link(file.path());
        link.is_ok_and(|link| sockets.contains(link.to_string_lossy().as_ref()))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("an address");
        let pid = format!("({})", std::process::id());
        let found = holders(address);
        assert!(
            found.iter().any(|holder| holder.ends_with(&pid)),
            "{found:?}"
        );
        drop(taken);
        assert_eq!(holders(address), Vec::<String>::new());
    }
}
