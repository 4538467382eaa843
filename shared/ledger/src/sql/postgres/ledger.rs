//! What the ledger on PostgreSQL works with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{PgPool, Postgres};
use waybill_report::caller::OrgId;

use super::keyed_mutex::KeyedMutex;
use super::listener::Listener;
use super::queue_capacity::QueueCapacity;
use crate::claim::Lease;
use crate::error::LedgerError;
use crate::sql::row::ExportRow;

pub(super) type Row = ExportRow<DateTime<Utc>>;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PostgresLedger {
    pub(super) pool: PgPool,
    pub(super) changes: Arc<Listener>,
    pub(super) capacity: Arc<QueueCapacity>,
    /// Of this process's requests, in front of the database's lock.
    pub(super) turns: Arc<KeyedMutex<OrgId>>,
}

impl PostgresLedger {
    /// The ledger of a database that has, or will have, the migrations. `listening` is a pool of
    /// one connection, for the changes.
    pub(crate) fn new(pool: PgPool, listening: PgPool) -> Self {
        Self {
            pool,
            changes: Arc::new(Listener::listen(listening)),
            capacity: Arc::default(),
            turns: Arc::default(),
        }
    }

    /// Runs a statement that is guarded by the lease.
    pub(super) async fn guarded(
        &self,
        lease: &Lease,
        statement: sqlx::query::Query<'_, Postgres, PgArguments>,
    ) -> Result<(), LedgerError> {
        let done = statement.execute(&self.pool).await?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::LeaseLost(lease.export_id()));
        }
        Ok(())
    }
}
