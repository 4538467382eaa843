//! The settings of a process: typed, checked, and with the place where each was set.
//!
//! Owns what can be configured and how settings come together; every default lives in
//! `config.default.toml` and nowhere else. It does not know which command runs: a command brings its
//! own layer of defaults and asks for the settings that it cannot do without.
//!
//! ```
//! use waybill_config::{Config, Layers};
//!
//! let load = |variable: &str, value: &str| {
//!     Config::load(Layers {
//!         command_defaults: &[],
//!         file: None,
//!         environment: [(variable.into(), value.into())],
//!         flags: &[],
//!     })
//! };
//! let config = load("WAYBILL__INLINE__SLOTS", "4")?;
//! assert_eq!(config.inline.slots, 4);
//! let error = load("WAYBILL__INLINE__SLOTS", "0").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "environment WAYBILL__INLINE__SLOTS: inline.slots: must be between 1 and 1024, got 0"
//! );
//! # Ok::<(), waybill_config::ConfigError>(())
//! ```

#![deny(missing_docs)]

mod agreement;
mod database_url;
mod environment;
mod error;
mod file;
mod layers;
mod merged;
mod origin;
mod secret;
mod sections;
mod server_url;
mod setting;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::{ConfigError, ConfigFault};
pub use layers::{Flag, Layers};
pub use origin::Origin;
pub use secret::Secret;
pub use sections::{
    ApiSettings, AuthMode, AuthSettings, DatabaseSettings, ExportSettings, InlineSettings,
    LimitSettings, LogFormat, LogSettings, ShutdownSettings, SourceSettings, StorageSettings,
    WorkerSettings,
};
pub use server_url::{ServerUrl, ServerUrlError};
/// A value of a command's default or of a flag: a string, an integer or a boolean.
pub use toml::Value;

/// All settings; ranges and formats have been checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The catalog file; see [`Config::catalog_path`].
    pub catalog: Option<PathBuf>,
    /// The ledger and the queue.
    #[serde(default)]
    pub database: DatabaseSettings,
    /// What reports read from, by the name that the catalog uses.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceSettings>,
    /// The HTTP service.
    pub api: ApiSettings,
    /// The worker process.
    pub worker: WorkerSettings,
    /// The object store.
    pub storage: StorageSettings,
    /// Reports that are answered at once.
    pub inline: InlineSettings,
    /// Reports that become jobs.
    pub exports: ExportSettings,
    /// What clients may take of a process.
    pub limits: LimitSettings,
    /// Who may call.
    pub auth: AuthSettings,
    /// The end of a process.
    pub shutdown: ShutdownSettings,
    /// The log.
    pub log: LogSettings,
}

impl Config {
    /// Reads and merges the layers.
    ///
    /// # Errors
    /// [`ConfigError`] with every mistake of every layer, also of values that a later layer replaces.
    pub fn load<E>(layers: Layers<'_, E>) -> Result<Self, ConfigError>
    where
        E: IntoIterator<Item = (OsString, OsString)>,
    {
        layers::load(layers)
    }

    /// Returns `database.url`, for a command that cannot do without.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn database_url(&self) -> Result<&DatabaseUrl, ConfigError> {
        required("database.url", self.database.url.as_ref())
    }

    /// Returns `catalog`, for a command that cannot do without. A relative path starts at the working directory.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn catalog_path(&self) -> Result<&Path, ConfigError> {
        required("catalog", self.catalog.as_deref())
    }

    /// Returns `storage.bucket`, for a command that cannot do without.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn bucket(&self) -> Result<&str, ConfigError> {
        required("storage.bucket", self.storage.bucket.as_deref())
    }

    /// Returns `sources.<name>.url`, for a source that the catalog names.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn source_url(&self, name: &str) -> Result<&DatabaseUrl, ConfigError> {
        let source = self.sources.get(name);
        let url = source.and_then(|source| source.url.as_ref());
        required(&format!("sources.{name}.url"), url)
    }

    /// Returns `sources.<name>.connections`, if it is set.
    #[must_use]
    pub fn source_connections(&self, name: &str) -> Option<usize> {
        self.sources.get(name)?.connections
    }
}

fn required<T>(setting: &str, value: Option<T>) -> Result<T, ConfigError> {
    value.ok_or_else(|| {
        let variable = environment::variable(setting);
        let message = format!("is required: set it in the --config file or as {variable}");
        ConfigError::from(ConfigFault {
            origin: None,
            setting: setting.to_owned(),
            message,
        })
    })
}

#[cfg(test)]
mod tests;
