//! `[api]`: the HTTP service.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("api.listen", Rule::Address),
    setting("api.public_url", Rule::HttpUrl),
    setting("api.allowed_origins", Rule::Origins),
];

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
