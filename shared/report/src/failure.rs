//! Why a report has no file, in words for whoever asked for it.

use strum::IntoEnumIterator as _;

/// Why an export ended without a file, in words for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// One or two sentences without internals.
    pub detail: String,
}

/// Stable codes of failed exports.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum FailureCode {
    /// The catalog no longer accepts the query.
    InvalidQuery,
    /// More rows than `exports.max_rows`.
    TooManyRows,
    /// A larger file than the store takes in 10,000 parts.
    TooLarge,
    /// A cell larger than `exports.max_cell_bytes`, or a row of more than twice as many.
    CellTooLarge,
    /// The source could not be reached.
    DatabaseUnavailable,
    /// The store could not be reached.
    StorageUnavailable,
    /// The attempt took longer than `exports.timeout_seconds`.
    // The second is the name that an earlier version gave.
    #[strum(to_string = "timeout", serialize = "export_timeout")]
    Timeout,
    /// The processes that ran it died.
    WorkerLost,
    /// What it needs was away for `exports.give_up_after_hours` altogether.
    UnavailableTooLong,
    /// The data made the query fail.
    QueryFailed,
    /// A value that is not of its column's type, or that the file's format cannot hold.
    ValueUnrepresentable,
    /// The source gave the reading up for other work of its own.
    SourceConflict,
    /// The source came to a limit of its own.
    SourceLimit,
    /// Anything that an operator has to look at.
    Internal,
}

impl FailureCode {
    /// Returns every code.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Returns the name on the wire and in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the code of this name, also of one that an earlier version gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for code in FailureCode::all() {
            assert_eq!(FailureCode::from_name(code.name()), Some(code));
        }
        let earlier = FailureCode::from_name("export_timeout");
        assert_eq!(earlier, Some(FailureCode::Timeout));
        assert_eq!(FailureCode::Timeout.name(), "timeout");
    }
}
