//! What SQLite says, as what it means for a report.

use rusqlite::ErrorCode;

use super::opening::DatabaseFile;
use super::refusal;
use crate::source::error::{QueryFault, SourceError};
use crate::source::text;

/// What follows a column that is not there where its name was quoted.
const QUOTES_HINT: &str = " - should this be a string literal";

/// The error of a statement that is not run, or of the file.
pub(super) fn source_error(error: rusqlite::Error) -> SourceError {
    let code = error.sqlite_error_code();
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = &error
        && let Some((column, reason)) = refusal::of_value(text)
    {
        return SourceError::Value {
            column: column.to_owned(),
            row: None,
            reason: reason.to_owned(),
        };
    }
    let text = match error {
        // Without the statement, which is long and says nothing new, and without the hint of newer
        // versions, which is about quotes that are ours.
        rusqlite::Error::SqlInputError { mut msg, .. } => {
            msg.truncate(msg.find(QUOTES_HINT).unwrap_or(msg.len()));
            msg
        }
        error => error.to_string(),
    };
    match code {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::SchemaChanged
            | ErrorCode::FileLockingProtocolFailed,
        ) => SourceError::Unavailable(text),
        _ => SourceError::Refused(text),
    }
}

/// As [`source_error`], of a statement that runs. What it says then is about the data or about what reading takes,
/// unless the file is away or no database.
pub(super) fn reading_error(error: rusqlite::Error) -> SourceError {
    let code = error.sqlite_error_code();
    match source_error(error) {
        SourceError::Unavailable(reason) if code == Some(ErrorCode::DiskFull) => {
            SourceError::Limit {
                reason,
                hint: "The disk with its temporary files is full.",
                is_final: false,
            }
        }
        SourceError::Unavailable(reason) if code == Some(ErrorCode::OutOfMemory) => {
            SourceError::Limit {
                reason,
                hint: "It is out of memory.",
                is_final: false,
            }
        }
        // A statement that was prepared before is prepared again where the schema changed meanwhile.
        SourceError::Refused(reason) if reason.starts_with("no such ") => {
            SourceError::Refused(reason)
        }
        SourceError::Refused(reason) => match code {
            Some(ErrorCode::OperationInterrupted) => SourceError::Cancelled(reason),
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::InternalMalfunction
                | ErrorCode::ApiMisuse
                | ErrorCode::AuthorizationForStatementDenied,
            ) => SourceError::Refused(text::without_values(&reason)),
            _ => SourceError::Query(QueryFault {
                sqlstate: None,
                column: None,
                reason: text::without_values(&reason),
                is_passing: false,
            }),
        },
        error => error,
    }
}

/// As [`source_error`], with what may be done about a file that is there and cannot be opened.
pub(super) fn opening_error(error: rusqlite::Error, file: &DatabaseFile) -> SourceError {
    let cannot_open = error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
    match (source_error(error), file.hint()) {
        (SourceError::Unavailable(text), Some(hint)) if cannot_open => {
            SourceError::Unavailable(format!("{text}: {hint}"))
        }
        (error, _) => error,
    }
}
