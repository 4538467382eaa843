//! How a file is opened, and whether it is still the one that is at its path.

use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::functions;

/// What is escaped in a path that stands in a URI.
const NOT_IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'_')
    .remove(b'-');

/// How long a statement waits for a writer that locks the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a file is opened again that was replaced meanwhile.
const TRIES: usize = 3;

/// A file that may be replaced by another one.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// Nobody writes to it, so it is read without locks and without the files that WAL mode needs beside it.
    is_immutable: bool,
}

/// Device and inode. Of a file that is kept open they are no other file's.
type Identity = Option<(u64, u64)>;

/// A connection, and to which file.
#[derive(Debug)]
pub(super) struct Opened {
    connection: Connection,
    identity: Identity,
}

impl Deref for Opened {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DatabaseFile {
    pub(super) fn new(path: PathBuf, is_immutable: bool) -> Self {
        Self { path, is_immutable }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps of some connections those to the file that is at the path now.
    pub(super) fn retain_current(&self, connections: &mut Vec<Opened>) {
        let now = identity(&self.path);
        connections.retain(|opened| opened.identity == now);
    }

    pub(super) fn open(&self) -> rusqlite::Result<Opened> {
        let mut tries = 0;
        loop {
            let identity = identity(&self.path);
            let connection = self.connect()?;
            tries += 1;
            if identity == self::identity(&self.path) || tries == TRIES {
                return Ok(Opened {
                    connection,
                    identity,
                });
            }
        }
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if self.is_immutable {
            let uri = format!(
                "file:{}?immutable=1",
                percent_encode(self.path.as_os_str().as_encoded_bytes(), NOT_IN_PATH)
            );
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
        } else {
            Connection::open_with_flags(&self.path, flags)?
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A misspelt column must be an error, not a string of its own name.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        // The catalog's SQL is trusted to read: not to write, not to reach another file.
        connection.pragma_update(None, "query_only", true)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        functions::register(&connection)?;
        Ok(connection)
    }

    /// Why a file that is there cannot be opened, where that can be told.
    pub(super) fn hint(&self) -> Option<&'static str> {
        /// Where the header tells the versions for writing and reading, 2 of which is WAL.
        const VERSIONS: std::ops::Range<usize> = 18..20;
        let mut header = [0; VERSIONS.end];
        let read = fs::File::open(&self.path).and_then(|mut file| file.read_exact(&mut header));
        (read.is_ok() && header[VERSIONS] == [2, 2]).then_some(
            "it is in WAL mode, which needs a folder that can be written to; give it another journal mode, or append \
             ?immutable=1 to its URL if nothing writes to it",
        )
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_path: &Path) -> Identity {
    None
}
