//! The types of the catalog's expressions, asked once in a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::failure::source_error;
use crate::catalog::Relation;
use crate::source::SourceError;
use crate::statement::TypedUse;
use crate::stored::{StoredType, StoredTypes};

/// How long an answer is believed: a column's type may be changed while the service runs.
const BELIEVED: Duration = Duration::from_secs(5);

/// What was answered so far. It has an entry for each expression of the catalog at most.
#[derive(Debug, Default)]
pub(super) struct KnownTypes {
    by_expression: Mutex<HashMap<(Relation, String), Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    stored: StoredType,
    narrow_encoding: bool,
    since: Instant,
}

impl KnownTypes {
    /// Those of the expressions that have to be asked for, each once.
    pub(super) fn unknown<'a>(
        &self,
        relation: &Relation,
        expressions: &[TypedUse<'a>],
    ) -> Vec<TypedUse<'a>> {
        let known = self.lock();
        let mut unknown: Vec<TypedUse<'_>> = Vec::new();
        for (sql, kind) in expressions {
            let known = known.get(&(relation.clone(), (*sql).to_owned()));
            let is_known = known.is_some_and(|known| known.since.elapsed() <= BELIEVED);
            if !is_known && unknown.iter().all(|(listed, _)| listed != sql) {
                unknown.push((sql, *kind));
            }
        }
        unknown
    }

    /// Notes the rows of [`stored_types`](crate::statement::stored_types).
    pub(super) fn learn(
        &self,
        relation: &Relation,
        expressions: &[TypedUse<'_>],
        rows: &[PgRow],
    ) -> Result<(), SourceError> {
        let since = Instant::now();
        for row in rows {
            let (number, known) = read(row, since).map_err(|error| source_error(&error))?;
            let (sql, _) = usize::try_from(number)
                .ok()
                .and_then(|number| expressions.get(number))
                .ok_or_else(|| SourceError::Malformed("a type of nothing asked for".to_owned()))?;
            let key = (relation.clone(), (*sql).to_owned());
            self.lock().insert(key, known);
        }
        Ok(())
    }

    /// What is known of expressions.
    pub(super) fn known(&self, relation: &Relation, expressions: &[TypedUse<'_>]) -> StoredTypes {
        let known = self.lock();
        let mut types = StoredTypes::default();
        for (sql, _) in expressions {
            if let Some(known) = known.get(&(relation.clone(), (*sql).to_owned())) {
                types.narrow_encoding |= known.narrow_encoding;
                types.insert(*sql, known.stored.clone());
            }
        }
        types
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Relation, String), Known>> {
        self.by_expression
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(row: &PgRow, since: Instant) -> Result<(i32, Known), sqlx::Error> {
    let encoding: String = row.try_get(3)?;
    let known = Known {
        stored: StoredType {
            name: row.try_get(1)?,
            is_bytewise: row.try_get(2)?,
        },
        // Nothing is converted for a database of no encoding.
        narrow_encoding: !matches!(encoding.as_str(), "UTF8" | "SQL_ASCII"),
        since,
    };
    Ok((row.try_get(0)?, known))
}
