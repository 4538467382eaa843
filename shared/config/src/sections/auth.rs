//! `[auth]`: who may call.

use serde::Deserialize;

use crate::setting::{Rule, Setting, setting};

/// What may be set, and what each setting accepts.
pub(crate) const SETTINGS: &[Setting] = &[setting("auth.mode", Rule::Word(&["none", "keys"]))];

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
