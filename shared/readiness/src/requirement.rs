//! What a process cannot do without, and how it is told that something is missing.

use std::collections::BTreeMap;
use std::fmt;

use waybill_store::ClockDifference;

/// Something without which a process is not ready. Displays as it stands in `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The database of exports does not answer.
    Database,
    /// Its schema is older than this program.
    Migrations,
    /// The source of this name does not answer.
    Source(String),
    /// The catalog has not been held against its sources yet.
    Catalog,
    /// The store does not answer, or not for this bucket.
    Storage,
    /// This machine's clock is too far from the store's.
    Clock(ClockDifference),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("database"),
            Self::Migrations => f.write_str("migrations"),
            Self::Source(name) => write!(f, "source {name}"),
            Self::Catalog => f.write_str("catalog"),
            Self::Storage => f.write_str("storage"),
            Self::Clock(difference) => write!(f, "clock ({difference})"),
        }
    }
}

/// A process that cannot do its work now. Displays for the operator: what is missing, and why.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("{}", .causes.join("; "))]
pub struct NotReady {
    /// What is missing; never empty, the store and the clock last.
    pub missing: Vec<Requirement>,
    causes: Vec<String>,
}

/// The store and the sources that do not answer, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreachable {
    /// The store.
    pub store: Option<String>,
    /// Sources, by name.
    pub sources: BTreeMap<String, String>,
}

impl Unreachable {
    /// Returns whether everything answers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_none() && self.sources.is_empty()
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter();
        let sources = sources.map(|(name, cause)| format!("{}: {cause}", named(name)));
        let store = self.store.iter();
        let store = store.map(|cause| format!("{}: {cause}", Requirement::Storage));
        f.write_str(&sources.chain(store).collect::<Vec<_>>().join("; "))
    }
}

fn named(source: &str) -> Requirement {
    Requirement::Source(source.to_owned())
}

impl NotReady {
    /// Returns it as the error that it is, unless nothing is missing.
    pub(super) fn into_result(self) -> Result<(), Self> {
        match self.missing.is_empty() {
            true => Ok(()),
            false => Err(self),
        }
    }

    pub(super) fn add(&mut self, missing: Requirement, cause: impl fmt::Display) {
        self.causes.push(format!("{missing}: {cause}"));
        self.missing.push(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_one_line() {
        let mut found = NotReady::default();
        assert!(found.clone().into_result().is_ok());
        found.add(Requirement::Source("eu".to_owned()), "refused");
        found.add(Requirement::Storage, "no answer in time");
        let error = found.into_result().expect_err("two are missing");
        assert_eq!(
            error.to_string(),
            "source eu: refused; storage: no answer in time"
        );
        assert_eq!(
            error.missing,
            [Requirement::Source("eu".to_owned()), Requirement::Storage]
        );
    }

    #[test]
    fn what_is_unreachable_is_told_in_one_line() {
        let mut unreachable = Unreachable::default();
        assert!(unreachable.is_empty());
        unreachable.store = Some("refused".to_owned());
        unreachable
            .sources
            .insert("eu".to_owned(), "no route".to_owned());
        assert!(!unreachable.is_empty());
        assert_eq!(
            unreachable.to_string(),
            "source eu: no route; storage: refused"
        );
    }
}
