//! Why a report has no file, in words for whoever asked for it.

/// Why an export ended without a file, in words for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// One or two sentences without internals.
    pub detail: String,
}

/// Stable codes of failed exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::InvalidQuery,
        Self::TooManyRows,
        Self::TooLarge,
        Self::CellTooLarge,
        Self::DatabaseUnavailable,
        Self::StorageUnavailable,
        Self::Timeout,
        Self::WorkerLost,
        Self::UnavailableTooLong,
        Self::QueryFailed,
        Self::ValueUnrepresentable,
        Self::SourceConflict,
        Self::SourceLimit,
        Self::Internal,
    ];

    /// The name on the wire and in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidQuery => "invalid_query",
            Self::TooManyRows => "too_many_rows",
            Self::TooLarge => "too_large",
            Self::CellTooLarge => "cell_too_large",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::StorageUnavailable => "storage_unavailable",
            Self::Timeout => "timeout",
            Self::WorkerLost => "worker_lost",
            Self::UnavailableTooLong => "unavailable_too_long",
            Self::QueryFailed => "query_failed",
            Self::ValueUnrepresentable => "value_unrepresentable",
            Self::SourceConflict => "source_conflict",
            Self::SourceLimit => "source_limit",
            Self::Internal => "internal",
        }
    }

    /// The code of this name, also of one that an earlier version gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "export_timeout" => "timeout",
            name => name,
        };
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::from_name(code.name()), Some(code));
        }
    }
}
