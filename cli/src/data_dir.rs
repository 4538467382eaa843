//! The folder of an all-in-one process: who may use it and what lies where.
//!
//! Rows of every organisation lie in it, so it is for its owner alone: the folder, and by the mask of this
//! process whatever is made in it, also by libraries.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use rustix::fs::Mode;
use rustix::process::umask;

use crate::error::StartError;

/// The mode of a folder that is its owner's alone.
const OWNER_ALONE: u32 = 0o700;

/// A folder that this process alone uses, for as long as this lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// The embedded store's key pair.
#[derive(Debug)]
pub(crate) struct KeyPair {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl DataDir {
    /// Takes the folder, making it if need be. From now on nobody but the owner of this process may read
    /// what it makes, wherever that is.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        umask(Mode::RWXG | Mode::RWXO);
        let unusable = |error: &io::Error| {
            StartError::usage(format_args!(
                "--data-dir {}: cannot be written: {error}",
                path.display()
            ))
        };
        let made = make(path).map_err(|error| unusable(&error))?;
        let is_ours = path.join("lock").is_file() || is_empty(path);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| unusable(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::usage(format_args!(
                    "--data-dir {}: another waybill process uses it",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&error)),
        }
        let path = path.canonicalize().map_err(|error| unusable(&error))?;
        if !made {
            close_to_others(&path, is_ours);
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ledger and queue.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.path.join("ledger.sqlite")
    }

    /// The demo's source.
    pub(crate) fn demo(&self) -> PathBuf {
        self.path.join("demo.sqlite")
    }

    /// The root of the embedded store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("s3")
    }

    /// The embedded store's keys, made at the first start: links stay valid across restarts.
    pub(crate) fn store_keys(&self) -> anyhow::Result<KeyPair> {
        let path = self.path.join("s3-keys");
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().split_once(':') {
                Some((id, secret)) => Ok(KeyPair {
                    id: id.to_owned(),
                    secret: secret.to_owned(),
                }),
                None => anyhow::bail!("{}: expected ID:SECRET", path.display()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = KeyPair {
                    id: random_text(20),
                    secret: random_text(40),
                };
                let mut file = OpenOptions::new()
                    .create_new(true)
                    .write(true)
                    .mode(0o600)
                    .open(&path)?;
                writeln!(file, "{}:{}", keys.id, keys.secret)?;
                file.sync_all()?;
                Ok(keys)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes a folder and those above it, each for its owner alone. Returns whether it was not there before.
fn make(path: &Path) -> io::Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ALONE)
        .create(path)
        .map(|()| true)
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Sees to it that a folder that was there before is its owner's alone, if it is a data directory: of
/// another one only the files that are made in it are.
fn close_to_others(path: &Path, is_ours: bool) {
    let Ok(mode) = fs::metadata(path).map(|folder| folder.permissions().mode() & 0o7777) else {
        return;
    };
    if mode & !OWNER_ALONE == 0 {
        return;
    }
    let (shown, was) = (path.display(), format!("{mode:04o}"));
    if !is_ours {
        tracing::warn!(
            path = %shown,
            mode = was,
            "others may look into the data directory; it holds other files, so that is left as it is"
        );
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(OWNER_ALONE)) {
        Ok(()) => tracing::warn!(
            path = %shown,
            mode = was,
            "others could look into the data directory; it is its owner's alone now (0700)"
        ),
        Err(error) => tracing::warn!(
            path = %shown,
            mode = was,
            cause = %error,
            "others may look into the data directory, and this process cannot change that"
        ),
    }
}

fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}
