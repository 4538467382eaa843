//! Connections to a file that no report uses.

use parking_lot::Mutex;

use super::opening::{DatabaseFile, Opened};

/// Connections kept open between reports.
const MAX_IDLE: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct IdleConnections {
    connections: Mutex<Vec<Opened>>,
}

impl IdleConnections {
    /// Takes a connection to the file that is there now, if there is one. Those to one that was there before
    /// are closed, of which the second value tells.
    pub(super) fn take(&self, file: &DatabaseFile) -> (Option<Opened>, bool) {
        let mut connections = self.connections.lock();
        let before = connections.len();
        file.retain_current(&mut connections);
        let is_another_file = connections.len() < before;
        (connections.pop(), is_another_file)
    }

    /// Keeps a connection for the next report, unless there are enough.
    pub(super) fn keep(&self, connection: Opened) {
        let mut connections = self.connections.lock();
        if connections.len() < MAX_IDLE {
            connections.push(connection);
        }
    }
}
