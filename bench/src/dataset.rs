//! The rows that everybody exports, and the ways to ask for them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use waybill_test_services::postgres::Database;

/// The catalog of the measured service.
pub(crate) const CATALOG: &str = include_str!("../catalog.toml");

/// The exported organisation: the one that everybody belongs to without keys.
pub(crate) const ORG: &str = "org_demo";

/// The exported columns, in the order of the file.
pub(crate) const COLUMNS: [&str; 13] = [
    "session_id",
    "status",
    "agent",
    "title",
    "started_at",
    "finished_at",
    "day",
    "duration_ms",
    "input_tokens",
    "score",
    "cost",
    "succeeded",
    "attributes",
];

/// The time range that holds every row.
const FROM: &str = "2026-04-24T00:00:00Z";
const DAYS: i64 = 30;

const CREATE: &str = "
    CREATE TABLE sessions (
        org_id text NOT NULL,
        session_id uuid NOT NULL,
        status text NOT NULL,
        agent text NOT NULL,
        title text NOT NULL,
        started_at timestamptz NOT NULL,
        finished_at timestamptz,
        day date NOT NULL,
        duration_ms integer,
        input_tokens integer NOT NULL,
        score double precision,
        cost numeric(12, 6),
        succeeded boolean,
        attributes jsonb NOT NULL,
        updated_at timestamptz NOT NULL
    )";

const FILL: &str = include_str!("../sessions.sql");

const INDEX: [&str; 4] = [
    "CREATE INDEX sessions_time ON sessions (org_id, started_at)",
    "CREATE INDEX sessions_updated ON sessions (org_id, updated_at)",
    // What production tables have behind them: all-visible pages, statistics, nothing left to flush.
    "VACUUM (ANALYZE) sessions",
    "CHECKPOINT",
];

/// Makes the table and returns the rows of the exported organisation as SQL counts them.
pub(crate) fn load(source: &Database<'_>, rows: u64) -> anyhow::Result<u64> {
    source.psql(CREATE);
    source.psql(&format!("SET bench.rows = {}; {FILL}", rows + rows / 10));
    for statement in INDEX {
        source.psql(statement);
    }
    count(source, &all())
}

/// Rows of the exported organisation in a time range, as SQL counts them.
pub(crate) fn count(source: &Database<'_>, range: &Range) -> anyhow::Result<u64> {
    let count = source.psql(&format!(
        "SELECT count(*) FROM sessions WHERE {}",
        range.sql()
    ));
    Ok(count.parse()?)
}

/// `from` inclusive, `to` exclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
}

impl Range {
    /// The condition on the table that selects the organisation and this range.
    fn sql(&self) -> String {
        let (from, to) = (text(self.from), text(self.to));
        format!("org_id = '{ORG}' AND started_at >= '{from}' AND started_at < '{to}'")
    }

    fn json(&self) -> Value {
        json!({ "from": text(self.from), "to": text(self.to) })
    }
}

/// The range of every row.
pub(crate) fn all() -> Range {
    let from = DateTime::parse_from_rfc3339(FROM).map(|from| from.to_utc());
    let from = from.unwrap_or(DateTime::UNIX_EPOCH);
    Range {
        from,
        to: from + TimeDelta::days(DAYS),
    }
}

/// A range in the middle that holds about so many of the `rows`.
pub(crate) fn some(wanted: u64, rows: u64) -> Range {
    let all = all();
    let share = wanted.min(rows) as f64 / rows.max(1) as f64;
    let length =
        TimeDelta::milliseconds((share * TimeDelta::days(DAYS).num_milliseconds() as f64) as i64);
    let from = all.from + (TimeDelta::days(DAYS) - length) / 2;
    Range {
        from,
        to: from + length,
    }
}

/// The COPY that gives the exported rows as CSV.
pub(crate) fn copy() -> String {
    format!(
        "COPY (SELECT {} FROM sessions WHERE {}) TO STDOUT WITH (FORMAT csv, HEADER)",
        COLUMNS.join(", "),
        all().sql()
    )
}

/// The request for rows of a dataset of grain `row`; `None` = every row.
pub(crate) fn rows_request(dataset: &str, range: &Range, limit: Option<u64>) -> Value {
    json!({
        "format": "csv",
        "query": {
            "dataset": dataset,
            "time_range": range.json(),
            "dimensions": COLUMNS,
            "limit": limit
        }
    })
}

/// A request whose export takes some 0.4 s and next to no work. No two numbers make the same one.
pub(crate) fn paced_request(number: u64) -> Value {
    pace_request("paced", number)
}

/// How long such an export takes, in milliseconds.
pub(crate) const PACED_MS: f64 = 400.0;

/// A request whose export runs for some 40 s and shows its progress every 4 s.
pub(crate) fn long_request(number: u64) -> Value {
    pace_request("long", number)
}

fn pace_request(dataset: &str, number: u64) -> Value {
    let mut range = all();
    range.to -= TimeDelta::microseconds(number.cast_signed());
    json!({
        "format": "csv",
        "query": {
            "dataset": dataset,
            "time_range": range.json(),
            "dimensions": ["n"],
            "limit": null
        }
    })
}

/// The request for an aggregate of a range.
pub(crate) fn aggregate_request(range: &Range) -> Value {
    json!({
        "format": "csv",
        "query": {
            "dataset": "sessions",
            "time_range": range.json(),
            "dimensions": ["status"],
            "measures": ["session_count", "avg_duration_ms", "input_tokens", "total_cost"],
            "order_by": [{ "measure": "session_count", "direction": "desc" }]
        }
    })
}

fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
