//! What an error of the server or of the connection means for a report.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::source::error::{QueryFault, SourceError};
use crate::source::text;

/// Whether the connection is of no more use, whatever was asked.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Database(told) => told.code().is_some_and(|code| ends_session(&code)),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => true,
        _ => false,
    }
}

/// Sorts an error by what can be done about it, where no rows were asked for. The text is the server's
/// own, without the statement.
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

/// Whether the server had begun to read rows when it told of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It had not: its text is about the statement.
    Begins,
    /// It had: its text may quote the cell that it is about.
    Runs,
}

/// The same once the snapshot is open. What the server says then is about this report: nothing but the
/// loss of the connection is an outage.
pub(super) fn reading_error(error: &Error, phase: Phase) -> SourceError {
    let Error::Database(told) = error else {
        return source_error(error);
    };
    let code = told.code().unwrap_or_default();
    let reason = || text::without_values(told.message());
    if ends_session(&code) && !OF_THIS_SESSION.contains(&&*code) {
        return SourceError::Unavailable(reason());
    }
    if let Some(hint) = conflict(&code) {
        return SourceError::Conflict {
            reason: reason(),
            hint,
        };
    }
    if let Some(hint) = limit(&code) {
        return SourceError::Limit {
            reason: reason(),
            hint,
            is_final: IS_FINAL.contains(&&*code),
        };
    }
    match code.get(..2) {
        _ if code == QUERY_CANCELED => SourceError::Cancelled(reason()),
        Some(class) if OF_THE_DATA.contains(&class) => SourceError::Query(fault(&**told, class)),
        _ if phase == Phase::Begins => SourceError::Refused(told.message().to_owned()),
        _ => SourceError::Refused(reason()),
    }
}

fn fault(told: &dyn DatabaseError, class: &str) -> QueryFault {
    let server = told.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let reason = if OF_A_FUNCTION.contains(&class) {
        "an exception of a function, whose text may hold data".to_owned()
    } else {
        text::without_values(told.message())
    };
    QueryFault {
        sqlstate: told.code().map(Into::into),
        column: server
            .and_then(sqlx::postgres::PgDatabaseError::column)
            .map(str::to_owned),
        reason,
        is_passing: PASSING_CLASSES.contains(&class),
    }
}

/// Whether a server could not read what it was sent, all of it.
pub(super) fn is_syntax_error(error: &Error) -> bool {
    const SYNTAX_ERROR: &str = "42601";
    let told = error.as_database_error();
    told.is_some_and(|told| told.code().as_deref() == Some(SYNTAX_ERROR))
}

/// Whether a statement waited for a lock for as long as it may.
pub(super) fn is_lock_timeout(error: &Error) -> bool {
    matches!(error, Error::Database(told) if told.code().as_deref() == Some(LOCK_NOT_AVAILABLE))
}

const LOCK_NOT_AVAILABLE: &str = "55P03";
const QUERY_CANCELED: &str = "57014";

/// Cardinality violation; data exception; integrity constraint violation, as of a domain; external
/// routine; program limit exceeded; system error; foreign data wrapper; PL/pgSQL.
const OF_THE_DATA: [&str; 9] = ["21", "22", "23", "38", "39", "54", "58", "HV", "P0"];
/// Of these, whose text is the author's of a function.
const OF_A_FUNCTION: [&str; 3] = ["38", "39", "P0"];
/// Of these, what may have passed at the next try: the server's disk, another server.
const PASSING_CLASSES: [&str; 2] = ["58", "HV"];

/// What the server does to one session because of a setting, and would do again: a session idle in its
/// transaction, a transaction that takes too long.
const OF_THIS_SESSION: [&str; 2] = ["25P03", "25P04"];
/// Limits that the next try would meet again: of configuration, of a transaction's time.
const IS_FINAL: [&str; 2] = ["53400", "25P04"];

/// What the server gave a reading up for, and what an operator can do about it.
fn conflict(code: &str) -> Option<&'static str> {
    Some(match code {
        "40001" => {
            "It is a replica whose primary removed rows that were still read. The operator can turn on hot_standby_feedback there, or raise max_standby_streaming_delay."
        }
        "40P01" => "It was in a deadlock with other work.",
        "72000" => {
            "The rows of the snapshot were removed. The operator can raise old_snapshot_threshold."
        }
        LOCK_NOT_AVAILABLE | "55006" => "Other work held a lock for too long (lock_timeout).",
        code if code.starts_with("40") => "It was rolled back.",
        _ => return None,
    })
}

/// The limit that a reading came to, and what an operator can do about it.
fn limit(code: &str) -> Option<&'static str> {
    Some(match code {
        "53100" => "Its disk is full.",
        "53200" => {
            "It is out of memory. The operator can look at work_mem and max_locks_per_transaction."
        }
        "53300" => "It has no connection left (max_connections).",
        "53400" => {
            "Sorting or grouping needs more temporary space than it allows. The operator can raise temp_file_limit."
        }
        "25P03" => "The operator can raise idle_in_transaction_session_timeout.",
        "25P04" => "The operator can raise transaction_timeout.",
        code if code.starts_with("53") => "It is out of a resource.",
        _ => return None,
    })
}

/// Errors that are not the statement's own: another try may well succeed.
fn is_passing(code: &str) -> bool {
    const CODES: [&str; 4] = [
        // Serialization failure, which is also a conflict with recovery on a replica; deadlock.
        "40001",
        "40P01", // Lock not available; the server's disk or memory failed it.
        LOCK_NOT_AVAILABLE,
        "58030",
    ];
    ends_session(code) || code.starts_with("53") || CODES.contains(&code)
}

/// Connection trouble, a server that goes down or comes up, a session that took too long.
fn ends_session(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || OF_THIS_SESSION.contains(&code)
}
