//! What a client reads of an error that lies in its query, in the data or in a limit of the database.

use super::error::{QueryFault, SourceError};
use crate::encode::EncodeError;
use crate::failure::{Failure, FailureCode};

impl SourceError {
    /// Why there is no result, in words for the client: what it can act on, or wait for. `None` where
    /// only an operator can, or where the database is away.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let (code, detail) = match self {
            Self::Conflict { hint, .. } => (
                FailureCode::SourceConflict,
                format!("The database gave up reading the data before its end. {hint}"),
            ),
            Self::Limit { hint, .. } => (
                FailureCode::SourceLimit,
                format!(
                    "The database came to a limit of its own while it read the data. {hint} A narrower query needs less."
                ),
            ),
            Self::Query(fault) => (FailureCode::QueryFailed, fault.detail()),
            Self::Value {
                column,
                row,
                reason,
            } => (
                FailureCode::ValueUnrepresentable,
                unrepresentable(column, *row, reason),
            ),
            Self::TooLarge(oversize) => (FailureCode::CellTooLarge, oversize.advice()),
            _ => return None,
        };
        Some(Failure { code, detail })
    }

    /// Whether the same report may succeed at another try.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Cancelled(_)
            | Self::Malformed(_)
            | Self::Stopped
            | Self::Conflict { .. } => true,
            Self::Limit { is_final, .. } => !is_final,
            Self::Query(fault) => fault.is_passing,
            Self::NotConfigured(_)
            | Self::Url(_)
            | Self::Refused(_)
            | Self::Value { .. }
            | Self::TooLarge(_) => false,
        }
    }
}

impl EncodeError {
    /// The same of a file that cannot be written. `None` where the encoder is to blame.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unrepresentable {
                column,
                row,
                reason,
            } => Some(Failure {
                code: FailureCode::ValueUnrepresentable,
                detail: unrepresentable(column, Some(*row), reason),
            }),
            Self::SchemaMismatch { .. } => None,
        }
    }
}

fn unrepresentable(column: &str, row: Option<u64>, reason: &str) -> String {
    let place = row.map_or_else(String::new, |row| format!(", in row {row} of the file,"));
    format!(
        "The column {column} has{place} a value that is not of its type: {reason}. Leave the column or the row out, or ask the operator to correct the data or the catalog."
    )
}

impl QueryFault {
    fn detail(&self) -> String {
        let column = self
            .column
            .as_ref()
            .map_or_else(String::new, |column| format!(" in the column {column}"));
        let class = match &self.sqlstate {
            Some(code) => format!(
                " (SQLSTATE {code}, class {class}: {name})",
                class = code.get(..2).unwrap_or_default(),
                name = class_name(code)
            ),
            None => String::new(),
        };
        format!(
            "The data does not allow this query: {what}{column}{class}. Leave out the column or the rows that it is about, or ask the operator to correct the data or the catalog.",
            what = self.what()
        )
    }

    /// What went wrong, in words that hold nothing of the data.
    fn what(&self) -> &'static str {
        match self.sqlstate.as_deref().unwrap_or_default() {
            "21000" => "a subquery has more than one row",
            "22012" => "a division by zero",
            "22003" => "a number out of its type's range",
            "22P02" | "22018" => "a text that is no value of the type it is turned into",
            "22007" => "a text that is no date or time",
            "22008" => "a date or time out of range",
            "22001" => "a text that is too long for its type",
            "22021" | "22P05" => "a character that an encoding does not have",
            "22023" => "a value that a function does not take",
            "22030" | "22031" | "22032" | "22033" | "22034" | "22035" | "22036" | "22037"
            | "22038" | "22039" | "2203A" | "2203B" | "2203C" | "2203D" | "2203E" | "2203F"
            | "2203G" => "a JSON document that does not fit",
            _ => "a value that cannot be computed with",
        }
    }
}

/// The name of a code's class, as SQL has it.
fn class_name(sqlstate: &str) -> &'static str {
    match sqlstate.get(..2).unwrap_or_default() {
        "21" => "cardinality violation",
        "22" => "data exception",
        "23" => "integrity constraint violation",
        "38" => "external routine exception",
        "39" => "external routine invocation exception",
        "54" => "program limit exceeded",
        "58" => "system error",
        "HV" => "foreign data wrapper error",
        "P0" => "PL/pgSQL error",
        _ => "other",
    }
}
