//! The catalog of the tests, and the table that it is about.

use chrono::{DateTime, Utc};

/// Rows that the table of the tests has for `org_demo`.
pub(crate) const ROWS: usize = 30;

pub(super) const CATALOG: &str = r#"
[datasets.sessions]
description = "Sessions, grouped"
table = "sessions"
grain = "aggregate"
tenant = "org_id"
time = "started_at"
updated = "updated_at"
max_range_days = 370

[datasets.sessions.dimensions]
status = { sql = "status", type = "string" }

[datasets.sessions.measures]
session_count = { sql = "count(*)", type = "integer" }

[datasets.sessions.filters]
status = { sql = "status", type = "string" }
duration_ms = { sql = "duration_ms", type = "integer", description = "Milliseconds" }

[datasets.session_rows]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"

[datasets.session_rows.dimensions]
session_id = { sql = "session_id", type = "integer" }
status = { sql = "status", type = "string" }

# Ends only when it is stopped.
[datasets.endless]
sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, '2026-05-01' AS at FROM n WHERE i < 0"
grain = "row"
shared = true
time = "at"

[datasets.endless.dimensions]
i = { sql = "i", type = "integer" }

[datasets.wrong]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"

[datasets.wrong.dimensions]
status = { sql = "no_such_function(status)", type = "string" }

[datasets.secret]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"
roles = ["viewer"]

[datasets.secret.dimensions]
status = { sql = "status", type = "string" }
"#;

pub(super) fn make_source(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).expect("a file");
    connection
        .execute_batch(
            "CREATE TABLE sessions (session_id INTEGER, org_id TEXT, status TEXT, duration_ms INTEGER,
                                    started_at TEXT, updated_at TEXT);",
        )
        .expect("a table");
    let day: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().expect("an instant");
    let mut insert = connection
        .prepare("INSERT INTO sessions VALUES (?1, ?2, ?3, 5, ?4, ?4)")
        .expect("a statement");
    for id in 0..ROWS as i64 * 2 {
        let org = if id < ROWS as i64 {
            "org_demo"
        } else {
            "org_other"
        };
        let status = ["completed", "failed", "=run\"ning\""][id as usize % 3];
        let at = day.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        insert
            .execute(rusqlite::params![id, org, status, at])
            .expect("a row");
    }
}
