//! Who asks. Authentication makes a [`Caller`]; everything behind it only reads one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rand::RngExt as _;

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

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
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

/// The id of an API key: `key_` and 16 lower-case letters and digits. No secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    const PREFIX: &str = "key_";
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    const LENGTH: usize = 16;

    /// A new id. 82 bits of chance: no two are ever the same.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = rand::rng();
        let letters = (0..Self::LENGTH)
            .map(|_| char::from(Self::LETTERS[random.random_range(0..Self::LETTERS.len())]));
        Self(Self::PREFIX.chars().chain(letters).collect())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `key_`.
    #[must_use]
    pub fn letters(&self) -> &str {
        &self.0[Self::PREFIX.len()..]
    }

    /// The id of these 16 letters and digits.
    #[must_use]
    pub fn from_letters(letters: &str) -> Option<Self> {
        format!("{}{letters}", Self::PREFIX).parse().ok()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an API key")]
pub struct NoKeyId;

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        let letters = text.strip_prefix(Self::PREFIX).ok_or(NoKeyId)?;
        let canonical = letters.len() == Self::LENGTH
            && letters
                .bytes()
                .all(|letter| Self::LETTERS.contains(&letter));
        canonical.then(|| Self(text.to_owned())).ok_or(NoKeyId)
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose rows and exports it sees.
    pub org: OrgId,
    /// What it may do.
    pub role: Role,
    /// With which key it came; `None` where no keys are asked for (`auth.mode = "none"`).
    pub key: Option<KeyId>,
    /// Names of the datasets that it may use; `None` = all of them.
    pub datasets: Option<BTreeSet<String>>,
}

impl Caller {
    /// Which exports it may see: a viewer with a key those that this key made, everyone else the
    /// organisation's.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope {
            org: self.org.clone(),
            made_by: match self.role {
                Role::Viewer => self.key.clone(),
                Role::Admin => None,
            },
        }
    }

    /// Whether a key's list of datasets allows this one. What the dataset itself says of roles is
    /// the catalog's.
    #[must_use]
    pub fn may_use(&self, dataset: &str) -> bool {
        self.datasets
            .as_ref()
            .is_none_or(|allowed| allowed.contains(dataset))
    }
}

/// Which exports may be seen. What lies outside does not exist for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Only exports of this organisation.
    pub org: OrgId,
    /// Only exports that this key made; `None` = all of the organisation's.
    pub made_by: Option<KeyId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_survive_their_text_and_nothing_else_is_one() {
        let id = KeyId::generate();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_eq!(KeyId::from_letters(id.letters()), Some(id.clone()));
        let wrong = [
            "",
            "key_",
            "key_abc",
            &id.to_string().to_uppercase(),
            &format!("{id}0"),
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<KeyId>(), Err(NoKeyId), "{wrong}");
        }
    }

    #[test]
    fn a_viewer_sees_what_its_key_made() {
        let key = KeyId::generate();
        let mut caller = Caller {
            org: OrgId::new("a"),
            role: Role::Viewer,
            key: Some(key.clone()),
            datasets: None,
        };
        assert_eq!(caller.scope().made_by, Some(key));
        caller.role = Role::Admin;
        assert_eq!(caller.scope().made_by, None);
    }

    #[test]
    fn a_list_of_datasets_allows_nothing_else() {
        let caller = |datasets| Caller {
            org: OrgId::new("a"),
            role: Role::Viewer,
            key: None,
            datasets,
        };
        assert!(caller(None).may_use("sessions"));
        let some = Some(BTreeSet::from(["sessions".to_owned()]));
        assert!(caller(some.clone()).may_use("sessions"));
        assert!(!caller(some).may_use("session_rows"));
        assert!(!caller(Some(BTreeSet::new())).may_use("sessions"));
    }
}
