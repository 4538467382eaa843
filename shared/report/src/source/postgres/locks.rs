//! The locks of a reading, taken before its snapshot.
//!
//! A snapshot that is older than the lock on a table sees it as it was before whoever held the lock: a
//! table that was truncated and filled anew, or rewritten, is empty in it. LOCK TABLE takes no snapshot,
//! so it comes first.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::Row as _;

use super::connections::{Answer, Connections, PooledConnection, Transaction};
use super::error::source_error;
use super::statement::Statement;
use crate::source::error::SourceError;

/// What the planner locked for the statement before this one. A partition is locked with its table, and
/// what lies behind a view with the view, so that a role needs no right to either.
const PLANNED: &str = "\
SELECT DISTINCT format('%I.%I', namespace.nspname, relation.relname) AS relation
FROM pg_locks AS lock
JOIN pg_class AS relation ON relation.oid = lock.relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE lock.pid = pg_backend_pid() AND lock.locktype = 'relation' AND lock.mode = 'AccessShareLock'
  AND relation.relkind IN ('r', 'p', 'v') AND NOT relation.relispartition
  AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
  AND has_table_privilege(relation.oid, 'SELECT')
ORDER BY 1";

/// Relations that cannot be locked by name: foreign tables, materialized views.
#[derive(Debug, Default)]
pub(super) struct Locks {
    unlockable: Mutex<HashSet<String>>,
}

impl Locks {
    fn can_be_locked(&self, relation: &str) -> bool {
        !self.unlockable.lock().contains(relation)
    }

    fn cannot_be_locked(&self, relation: &str) {
        self.unlockable.lock().insert(relation.to_owned());
    }

    /// Begins the transaction of a reading: its locks, then the rest.
    pub(super) async fn begin(
        &self,
        connections: &Arc<Connections>,
        statement: &Statement,
        rest: &str,
        budget: Duration,
    ) -> Result<(PooledConnection, Answer), SourceError> {
        let relations = self.relations_of(connections, statement).await?;
        if relations.is_empty() {
            return connections.ask(rest, Transaction::Open, budget).await;
        }
        let sql = format!(
            "LOCK TABLE {} IN ACCESS SHARE MODE;\n{rest}",
            relations.join(", ")
        );
        let asked = connections.ask(&sql, Transaction::Open, budget);
        let (mut pooled, answer) = asked.await?;
        let refusal = answer.error.as_ref().filter(|_| answer.rows.is_empty());
        let Some(refusal) = refusal.and_then(|error| error.as_database_error()) else {
            return Ok((pooled, answer));
        };
        let code = refusal.code().unwrap_or_default();
        if code == LOCK_NOT_AVAILABLE || code == UNDEFINED_TABLE {
            return Ok((pooled, answer));
        }
        // No right to lock it, or nothing that can be locked: it is read as it was before there were locks.
        tracing::debug!(
            error = refusal.message(),
            "a reading goes without its locks"
        );
        if code == WRONG_OBJECT_TYPE
            && let [relation] = &relations[..]
        {
            self.cannot_be_locked(relation);
        }
        pooled.run("ROLLBACK").await?;
        pooled.give_back();
        connections.ask(rest, Transaction::Open, budget).await
    }

    /// The relations that a statement reads, each as it stands in SQL.
    async fn relations_of(
        &self,
        connections: &Arc<Connections>,
        statement: &Statement,
    ) -> Result<Vec<String>, SourceError> {
        if let Some(table) = statement.table() {
            let is_lockable = self.can_be_locked(table);
            return Ok(is_lockable.then(|| table.to_owned()).into_iter().collect());
        }
        let asked = format!("{};\n{PLANNED}", statement.estimate());
        let Answer { rows, error } = connections.answer(&asked, Duration::ZERO).await?;
        match error.as_ref().map(source_error) {
            // The first row is the plan.
            None => Ok(rows
                .iter()
                .filter_map(|row| row.try_get("relation").ok())
                .collect()),
            // Locked by others: there is no use in trying without.
            Some(error @ SourceError::Unavailable(_)) => Err(error),
            Some(error) => {
                tracing::debug!(%error, "the relations of a reading could not be found");
                Ok(Vec::new())
            }
        }
    }
}

const LOCK_NOT_AVAILABLE: &str = "55P03";
const UNDEFINED_TABLE: &str = "42P01";
const WRONG_OBJECT_TYPE: &str = "42809";
