//! The settings of a process: typed, checked, and with the place where each was set.
//!
//! Owns what can be configured and how settings come together; every default lives in
//! `config.default.toml` and nowhere else. It does not know which command runs: a command brings its
//! own layer of defaults and asks for the settings that it cannot do without.

#![deny(missing_docs)]

pub mod document;
mod fault;
mod layers;
mod secret;
mod server_url;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use fault::{ConfigError, ConfigFault, Origin};
pub use layers::{Flag, Layers};
pub use secret::{DatabaseUrl, InvalidDatabaseUrl, Secret};
pub use server_url::{InvalidServerUrl, ServerUrl};
/// A value of a command's default or of a flag: a string, an integer or a boolean.
pub use toml::Value;
/// `[log]`: what a process says.
pub use waybill_telemetry::{LogFormat, LogSettings};

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
        E: IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    {
        layers::load(layers)
    }

    /// `database.url`, for a command that cannot do without.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn database_url(&self) -> Result<&DatabaseUrl, ConfigError> {
        required("database.url", self.database.url.as_ref())
    }

    /// `catalog`, for a command that cannot do without. A relative path starts at the working directory.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn catalog_path(&self) -> Result<&Path, ConfigError> {
        required("catalog", self.catalog.as_deref())
    }

    /// `storage.bucket`, for a command that cannot do without.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn bucket(&self) -> Result<&str, ConfigError> {
        required("storage.bucket", self.storage.bucket.as_deref())
    }

    /// `sources.<name>.url`, for a source that the catalog names.
    ///
    /// # Errors
    /// When it is not set, with a line that says how to.
    pub fn source_url(&self, name: &str) -> Result<&DatabaseUrl, ConfigError> {
        let source = self.sources.get(name);
        let url = source.and_then(|source| source.url.as_ref());
        required(&format!("sources.{name}.url"), url)
    }

    /// `sources.<name>.connections`, if it is set.
    #[must_use]
    pub fn source_connections(&self, name: &str) -> Option<usize> {
        self.sources.get(name)?.connections
    }
}

fn required<T>(setting: &str, value: Option<T>) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError::missing(setting))
}

/// `[database]`: where exports and their queue are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// See [`Config::database_url`].
    pub url: Option<DatabaseUrl>,
}

/// `[sources.<name>]`: one database that reports read from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// See [`Config::source_url`].
    pub url: Option<DatabaseUrl>,
    /// The most connections of one process, 1 to 1,000; `None` = as many as it reads reports at once.
    pub connections: Option<usize>,
}

/// `[api]`: the HTTP service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What links begin with, without a slash at the end; `None` = what the request says.
    pub public_url: Option<String>,
    /// Origins whose pages may ask, beside the service's own: scheme, host and, unless it is the usual one,
    /// port.
    pub allowed_origins: Vec<String>,
}

/// `[worker]`: the worker process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Address and port of its health and metrics; `None` = it has none.
    pub listen: Option<SocketAddr>,
    /// Exports at the same time, 1 to 64.
    pub concurrency: usize,
    /// How many of these never run a large export, 0 to 63; at least one slot runs any.
    pub small_slots: usize,
    /// Seconds, 1 to 3,600; see [`WorkerSettings::lease`].
    pub lease_seconds: u64,
}

impl WorkerSettings {
    /// How long an export belongs to a worker that gives no sign of life.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}

/// `[storage]`: the object store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// URL of an S3-compatible store, without a slash at the end; `None` = AWS.
    pub endpoint: Option<String>,
    /// URL of the store in download links, without a slash at the end; `None` = the endpoint.
    pub public_endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: String,
    /// See [`Config::bucket`].
    pub bucket: Option<String>,
    /// What every object key begins with: empty, or ending in a slash.
    pub prefix: String,
    /// Set together with the secret, or not at all.
    pub access_key_id: Option<String>,
    /// Set together with the key id; `None` = the AWS default chain.
    pub secret_access_key: Option<Secret>,
    /// Whether the bucket stands in the path of a URL instead of the host name.
    pub path_style: bool,
    /// Whether uploads carry the checksums of newer S3 clients.
    pub request_checksums: bool,
}

impl StorageSettings {
    /// The key pair; `None` = the AWS default chain.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        self.access_key_id
            .as_deref()
            .zip(self.secret_access_key.as_ref())
    }
}

/// `[inline]`: reports that are answered at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineSettings {
    /// Rows of an answer, 1 to 1,000,000.
    pub max_rows: u64,
    /// Bytes of an answer, 1 to 1 GiB.
    pub max_bytes: usize,
    /// Seconds, 1 to 300; see [`InlineSettings::timeout`].
    pub timeout_seconds: u64,
    /// Answers at the same time in one process, 1 to 1,024.
    pub slots: usize,
    /// Milliseconds, 0 to 60,000; see [`InlineSettings::queue_wait`].
    pub queue_wait_ms: u64,
}

impl InlineSettings {
    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long a request waits for a slot.
    #[must_use]
    pub fn queue_wait(&self) -> Duration {
        Duration::from_millis(self.queue_wait_ms)
    }
}

/// `[exports]`: reports that become jobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// Rows of an export, 1 to 10^12.
    pub max_rows: u64,
    /// Expected rows above which an export is a large one, 1 to 10^12.
    pub large_rows: u64,
    /// Unfinished exports of an organisation, 1 to 1,000,000.
    pub max_active_per_org: u32,
    /// Exports that wait for a worker, 1 to 10,000,000.
    pub max_queued: u32,
    /// Failures after which an export is given up, 1 to 100.
    pub max_attempts: u32,
    /// Hours, 1 to 8,760; see [`ExportSettings::give_up_after`].
    pub give_up_after_hours: u64,
    /// Seconds, 0 to 2,592,000 (30 days); see [`ExportSettings::reuse`].
    pub reuse_seconds: u64,
    /// Days, 1 to 3,650; see [`ExportSettings::retention`].
    pub retention_days: u64,
    /// Days, 1 to 3,650; see [`ExportSettings::record_retention`].
    pub record_retention_days: u64,
    /// Seconds, 1 to 604,800; see [`ExportSettings::link`].
    pub link_seconds: u64,
    /// Seconds, 1 to 604,800; see [`ExportSettings::timeout`].
    pub timeout_seconds: u64,
    /// Milliseconds, 1 to 60,000; see [`ExportSettings::freshness_timeout`].
    pub freshness_timeout_ms: u64,
    /// Bytes of one cell as its source sends it, 4 KiB to 256 MiB.
    pub max_cell_bytes: usize,
}

impl ExportSettings {
    /// How long a completed export answers an identical request; `None` = never.
    #[must_use]
    pub fn reuse(&self) -> Option<Duration> {
        (self.reuse_seconds > 0).then(|| Duration::from_secs(self.reuse_seconds))
    }

    /// How long outages of what an export needs may keep it from running, altogether.
    #[must_use]
    pub fn give_up_after(&self) -> Duration {
        Duration::from_secs(self.give_up_after_hours * 60 * 60)
    }

    /// How long a file is kept.
    #[must_use]
    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_days * 24 * 60 * 60)
    }

    /// How long the record of an export is kept after its file is gone, or after it failed or was
    /// cancelled.
    #[must_use]
    pub fn record_retention(&self) -> Duration {
        Duration::from_secs(self.record_retention_days * 24 * 60 * 60)
    }

    /// How long a download link works.
    #[must_use]
    pub fn link(&self) -> Duration {
        Duration::from_secs(self.link_seconds)
    }

    /// How long reading the data may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long finding the newest source row may take.
    #[must_use]
    pub fn freshness_timeout(&self) -> Duration {
        Duration::from_millis(self.freshness_timeout_ms)
    }
}

/// `[limits]`: what clients may take of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests of one API key per second, sustained, 1 to 1,000,000.
    pub requests_per_second: NonZeroU32,
    /// Requests of one API key at once, 1 to 1,000,000.
    pub burst: NonZeroU32,
    /// Open connections, 1 to 1,000,000.
    pub max_connections: usize,
    /// Requests that are held until an export changes, 0 to 1,000,000.
    pub max_waiting: usize,
    /// Columns of one query, 1 to 1,600.
    pub max_columns: usize,
    /// Seconds, 1 to 3,600; see [`LimitSettings::read_timeout`].
    pub read_timeout_seconds: u64,
    /// Seconds, 1 to 3,600; see [`LimitSettings::idle_timeout`].
    pub idle_timeout_seconds: u64,
}

impl LimitSettings {
    /// How long a request's headers may take to arrive, and then its body.
    #[must_use]
    pub fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_seconds)
    }

    /// How long a connection may stay open without a request.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }
}

/// `[auth]`: who may call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Whether a key is asked for.
    pub mode: AuthMode,
}

/// Whether a key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Everyone is admin of `org_demo`. `api.listen` is a loopback address then.
    None,
    /// Only holders of an API key may call.
    Keys,
}

/// `[shutdown]`: the end of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    /// Seconds, 0 to 3,600; see [`ShutdownSettings::grace`].
    pub grace_seconds: u64,
}

impl ShutdownSettings {
    /// How long running work has to finish or be handed back.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

#[cfg(test)]
mod tests;
