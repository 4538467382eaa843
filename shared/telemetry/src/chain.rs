//! An error with its causes, in one line.

use std::error::Error;

use sqlx::postgres::PgDatabaseError;

/// Returns an error and what caused it, in one line. A cause that its error has told already is not told again.
///
/// What PostgreSQL says is told without the line of its own source, which its error ends with.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut places = without_place(error).into_iter().collect::<Vec<_>>();
    let mut source = error.source();
    while let Some(cause) = source {
        places.extend(without_place(cause));
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    for (told, plain) in places {
        text = text.replace(&told, &plain);
    }
    text
}

/// Returns what an error of PostgreSQL displays as, and the same without a line of PostgreSQL's source.
fn without_place(error: &(dyn Error + 'static)) -> Option<(String, String)> {
    let Some(sqlx::Error::Database(told)) = error.downcast_ref() else {
        return None;
    };
    let server = told.try_downcast_ref::<PgDatabaseError>()?;
    Some((server.to_string(), server.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("it failed: {0}")]
        Telling(#[source] std::io::Error),
        #[error("it failed")]
        Silent(#[source] std::io::Error),
    }

    #[test]
    fn every_cause_is_told_once() {
        let cause = || std::io::Error::other("no such thing");
        for error in [Fault::Telling(cause()), Fault::Silent(cause())] {
            assert_eq!(chain(&error), "it failed: no such thing");
        }
    }
}
