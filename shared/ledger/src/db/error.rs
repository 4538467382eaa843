//! Why a database cannot be had, and what its own errors mean.

use sqlx::migrate::MigrateError;
use waybill_config::DatabaseUrlError;

/// Why a database cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL cannot be read; the fault does not show it.
    #[error("{0}")]
    InvalidUrl(#[from] DatabaseUrlError),
    /// The database does not answer, or answers that it cannot serve.
    #[error("{}", unavailable(.0))]
    Unavailable(#[source] sqlx::Error),
    /// A pooler gives each transaction another session.
    #[error("a pooler in transaction mode; connect directly or use session mode")]
    SharedSessions,
    /// The role may not make what the migrations make.
    #[error(
        "the role of the URL may not make the schemas and the extensions hstore and pgcrypto that \
         are needed: let it own the database, or GRANT CREATE ON DATABASE … TO …; GRANT CREATE ON \
         SCHEMA public TO … ({0})"
    )]
    NotPermitted(#[source] MigrateError),
    /// A migration fails.
    #[error("a migration fails: {0}")]
    Migration(#[source] MigrateError),
}

impl From<MigrateError> for DatabaseError {
    fn from(error: MigrateError) -> Self {
        let cause = match &error {
            MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause,
            _ => return Self::Migration(error),
        };
        match cause {
            sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some("42501") => {
                Self::NotPermitted(error)
            }
            _ => Self::Migration(error),
        }
    }
}

/// What is told of a server that cannot be used: its own words, if it has answered.
fn unavailable(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(told) => format!("the database refuses: {}", told.message()),
        error => format!("the database does not answer: {error}"),
    }
}

/// Whether a statement failed because its tables are not there (yet).
pub(crate) fn lacks_tables(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.code().as_deref() {
        // PostgreSQL: undefined_table, undefined_column, invalid_schema_name.
        Some("42P01" | "42703" | "3F000") => true,
        // SQLite has no code of its own for that.
        _ => ["no such table", "no such column"]
            .iter()
            .any(|fault| error.message().starts_with(fault)),
    }
}
