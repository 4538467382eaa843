//! Why a database gave no rows, whichever it is.

use std::fmt;

use crate::size::Oversize;

/// Why rows could not be read. The texts are for the operator, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No source of this name is configured.
    #[error("no source named {0} is configured")]
    NotConfigured(String),
    /// The database cannot be reached, is locked or has a passing trouble; worth another try.
    #[error("the source is unavailable: {0}")]
    Unavailable(String),
    /// The URL cannot be a server's.
    #[error("the URL of the source is not understood: {0}")]
    Url(String),
    /// The server stopped the statement at its `statement_timeout`, or a person did.
    #[error("the source stopped the statement: {0}")]
    Cancelled(String),
    /// What the server sent is no whole result.
    #[error("the source sent a malformed result: {0}")]
    Malformed(String),
    /// The database gave the reading up for other work of its own.
    #[error("the source gave the reading up: {reason}")]
    Conflict {
        /// What it said.
        reason: String,
        /// What it was, and which setting governs it; for the client, too.
        hint: &'static str,
    },
    /// The database came to a limit of its own.
    #[error("the source came to its limit: {reason}")]
    Limit {
        /// What it said.
        reason: String,
        /// Which limit, and which setting governs it; for the client, too.
        hint: &'static str,
        /// Whether another try would meet it as well.
        is_final: bool,
    },
    /// The data made the statement fail: a division by zero, a text that is no number.
    #[error("the data made the statement fail: {0}")]
    Query(QueryFault),
    /// The database refuses the statement; it would do so again.
    #[error("the source refused the statement: {0}")]
    Refused(String),
    /// A value is not of its column's catalog type.
    #[error("column {column}{}: {reason}", row.map_or_else(String::new, |row| format!(", row {row}")))]
    Value {
        /// The column's name.
        column: String,
        /// The row of the file, from 1, where it is known: not of what is only grouped or ordered by.
        row: Option<u64>,
        /// What was found instead.
        reason: String,
    },
    /// A cell or a row is larger than the reading's limits; it would be so again.
    #[error("{0}")]
    TooLarge(Oversize),
    /// The reader ended without a result, for example by a panic.
    #[error("the source stopped reading before the end")]
    Stopped,
}

/// How the data made a statement fail. Nothing of it is the data's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFault {
    /// The five characters of the SQLSTATE, where the database has them.
    pub sqlstate: Option<String>,
    /// The column, where the database names one.
    pub column: Option<String>,
    /// What the database said, on one line and without the values that it quoted.
    pub reason: String,
    /// Whether another try may succeed.
    pub is_passing: bool,
}

impl fmt::Display for QueryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        match &self.sqlstate {
            Some(code) => write!(f, " (SQLSTATE {code})"),
            None => Ok(()),
        }
    }
}
