//! Who asks. Authentication makes a [`Caller`]; everything behind it only reads one.

use std::fmt;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its datasets, and the exports that it made.
    Viewer,
    /// Every export of the organisation.
    Admin,
}

impl Role {
    /// The name used in catalogs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }
}

/// The organisation of a caller. No request member can name or widen it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrgId(String);

impl OrgId {
    /// Wraps an organisation's id as the source's tenant column holds it.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose rows and exports it sees.
    pub org: OrgId,
    /// What it may do.
    pub role: Role,
}
