//! What databases said of the types of the catalog's expressions, believed for a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::statement::TypedUse;
use super::stored_types::{StoredType, StoredTypes};
use crate::catalog::Relation;

/// How long an answer is believed: a column's type may be changed while the service runs.
const BELIEVED: Duration = Duration::from_secs(5);

/// What was answered so far. It has an entry for each expression of the catalog at most.
#[derive(Debug, Default)]
pub(super) struct KnownTypes {
    by_expression: Mutex<HashMap<(Relation, String), Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Absent where the database has nothing to say.
    stored: Option<StoredType>,
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
        let known = self.by_expression.lock();
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

    /// Notes an answer.
    pub(super) fn learn(
        &self,
        relation: &Relation,
        expression: &str,
        stored: Option<StoredType>,
        narrow_encoding: bool,
    ) {
        let known = Known {
            stored,
            narrow_encoding,
            since: Instant::now(),
        };
        let key = (relation.clone(), expression.to_owned());
        self.by_expression.lock().insert(key, known);
    }

    /// What is known of expressions.
    pub(super) fn known(&self, relation: &Relation, expressions: &[TypedUse<'_>]) -> StoredTypes {
        let known = self.by_expression.lock();
        let mut types = StoredTypes::default();
        for (sql, _) in expressions {
            if let Some(known) = known.get(&(relation.clone(), (*sql).to_owned())) {
                types.narrow_encoding |= known.narrow_encoding;
                if let Some(stored) = &known.stored {
                    types.insert(*sql, stored.clone());
                }
            }
        }
        types
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.by_expression.lock().clear();
    }
}
