//! The folder of an all-in-one process: who may use it and what lies where.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::distr::Alphanumeric;

use crate::fault::StartFault;

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
    /// Takes the folder, making it if need be.
    pub(crate) fn open(path: &Path) -> Result<Self, StartFault> {
        let unusable = |error: &io::Error| {
            StartFault::usage(format_args!(
                "--data-dir {}: cannot be written: {error}",
                path.display()
            ))
        };
        fs::create_dir_all(path).map_err(|error| unusable(&error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| unusable(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartFault::usage(format_args!(
                    "--data-dir {}: another waybill process uses it",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&error)),
        }
        let path = path.canonicalize().map_err(|error| unusable(&error))?;
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

fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}
