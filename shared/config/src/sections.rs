//! The sections of the settings, a file each: the type, and beside it what may be set.
//!
//! [`Config`](crate::Config) is the typed face of the same list; a test holds the two and
//! `config.default.toml` together.

mod api;
mod auth;
mod database;
mod exports;
mod inline;
mod limits;
mod log;
mod shutdown;
mod sources;
mod storage;
mod worker;

use crate::setting::{Rule, Setting, setting};

pub use api::ApiSettings;
pub use auth::{AuthMode, AuthSettings};
pub use database::DatabaseSettings;
pub use exports::ExportSettings;
pub use inline::InlineSettings;
pub use limits::LimitSettings;
pub use log::{LogFormat, LogSettings};
pub use shutdown::ShutdownSettings;
pub use sources::SourceSettings;
pub use storage::StorageSettings;
pub use worker::WorkerSettings;

/// In the order of `config.default.toml`.
pub(super) const SECTIONS: [&[Setting]; 12] = [
    &[setting("catalog", Rule::Text)],
    database::SETTINGS,
    sources::SETTINGS,
    api::SETTINGS,
    worker::SETTINGS,
    storage::SETTINGS,
    inline::SETTINGS,
    exports::SETTINGS,
    limits::SETTINGS,
    auth::SETTINGS,
    shutdown::SETTINGS,
    log::SETTINGS,
];
