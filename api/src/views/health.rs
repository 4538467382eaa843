//! How a process is.

use serde::Serialize;
use utoipa::ToSchema;

/// How a process is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

impl Health {
    pub(crate) const ALIVE: Self = Self { status: "alive" };
    pub(crate) const READY: Self = Self { status: "ready" };
}
