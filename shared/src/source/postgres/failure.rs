//! What an error of the server or of the connection means for a report.

use sqlx::Error;

use crate::source::SourceError;

/// Whether the connection is of no more use, whatever was asked.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Database(told) => told.code().is_some_and(|code| ends_session(&code)),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => true,
        _ => false,
    }
}

/// Sorts an error by what can be done about it. The text is the server's own, without the statement.
pub(super) fn source_error(error: &Error) -> SourceError {
    match error {
        Error::Database(told) => {
            let text = told.message().to_owned();
            match told.code().as_deref() {
                Some(code) if is_passing(code) => SourceError::Unavailable(text),
                Some(QUERY_CANCELED) => SourceError::Cancelled(text),
                _ => SourceError::Refused(text),
            }
        }
        Error::Io(_) | Error::Tls(_) => SourceError::Unavailable(error.to_string()),
        Error::Protocol(text) => SourceError::Malformed(text.clone()),
        _ => SourceError::Refused(error.to_string()),
    }
}

const QUERY_CANCELED: &str = "57014";

/// Errors that are not the statement's own: another try may well succeed.
fn is_passing(code: &str) -> bool {
    const CODES: [&str; 4] = [
        // Serialization failure, which is also a conflict with recovery on a replica; deadlock.
        "40001", "40P01", // Lock not available; the server's disk or memory failed it.
        "55P03", "58030",
    ];
    ends_session(code) || code.starts_with("53") || CODES.contains(&code)
}

/// Connection trouble, a server that goes down or comes up, a session that was idle for too long.
fn ends_session(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || code == "25P03"
}
