//! What spans of time are bound as.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;

use crate::db::instant::whole_micros;

/// A span as PostgreSQL reckons with it. Days are of 24 hours, whatever the time zone.
pub(crate) fn interval(span: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: whole_micros(span),
    }
}
